"""The rules about the places of devices: in the order of boot, and in the guest's hardware."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.applied_rules import codes_found, found, underlined
from tests.qemu.embedded import NEEDED, native
from virtquorum.check.engine import Checker
from virtquorum.check.options import Options
from virtquorum.check.rules import rule

BOOT, ADDRESS = "VQ305", "VQ306"
RULES = (BOOT, ADDRESS)

USB = "<controller type='usb' index='0' model='qemu-xhci' ports='8'/>"
SERIAL = "<controller type='virtio-serial' index='0'/>"


def domain(*devices: str, os: str = "", type: str = "qemu", system: str = "hvm") -> str:
    return (
        f"<domain type='{type}'><name>d</name><memory>65536</memory>"
        f"<os><type arch='x86_64' machine='pc'>{system}</type>{os}</os>"
        f"<devices>{''.join(devices)}</devices></domain>"
    )


def disk(dev: str, bus: str, more: str = "", *, device: str = "disk") -> str:
    named = f" bus='{bus}'" if bus else ""
    return (
        f"<disk type='file' device='{device}'><source file='/{dev}'/><target dev='{dev}'{named}/>"
        f"{more}</disk>"
    )


def net(more: str) -> str:
    return f"<interface type='user'><model type='virtio'/>{more}</interface>"


def usb_hostdev(more: str) -> str:
    source = "<source><vendor id='0x1'/><product id='0x2'/></source>"
    return f"<hostdev mode='subsystem' type='usb'>{source}{more}</hostdev>"


def scsi_hostdev(unit: int, more: str) -> str:
    source = f"<adapter name='scsi_host0'/><address bus='0' target='0' unit='{unit}'/>"
    return f"<hostdev mode='subsystem' type='scsi'><source>{source}</source>{more}</hostdev>"


def redirdev(more: str) -> str:
    return f"<redirdev bus='usb' type='spicevmc'>{more}</redirdev>"


def tablet(more: str) -> str:
    return f"<input type='tablet' bus='usb'>{more}</input>"


def channel(name: str, port: int) -> str:
    return (
        f"<channel type='unix'><target type='virtio' name='{name}'/>"
        f"<address type='virtio-serial' controller='0' bus='0' port='{port}'/></channel>"
    )


def boot(order: object) -> str:
    return f"<boot order='{order}'/>"


def pci(slot: object, function: object = 0, more: str = "") -> str:
    place = f"domain='0x0000' bus='0x00' slot='{slot}' function='{function}'"
    return f"<address type='pci' {place}{more}/>"


def drive(unit: object, controller: object = 0) -> str:
    return f"<address type='drive' controller='{controller}' bus='0' target='0' unit='{unit}'/>"


def usb(port: str) -> str:
    return f"<address type='usb' bus='0' port='{port}'/>"


def ccw(devno: str, more: str = "cssid='0xfe' ssid='0x0' ") -> str:
    return f"<address type='ccw' {more}devno='{devno}'/>"


#: Domains that libvirt refuses, each with the rule that finds it.
REFUSED = {
    "a disk and an interface": (BOOT, domain(disk("vda", "virtio", boot(1)), net(boot(1)))),
    "a zero before it": (BOOT, domain(disk("vda", "virtio", boot("01")), net(boot(1)))),
    "as C reads it": (BOOT, domain(disk("vda", "virtio", boot("+1")), net(boot(" 1")))),
    "a disk and a hostdev": (BOOT, domain(disk("vda", "virtio", boot(1)), usb_hostdev(boot(1)))),
    "a disk and a redirdev": (BOOT, domain(disk("vda", "virtio", boot(1)), redirdev(boot(1)))),
    "in two devices elements": (
        BOOT,
        domain(disk("vda", "virtio", boot(1)), "</devices><devices>", net(boot(1))),
    ),
    "beside <os>": (BOOT, domain(disk("vda", "virtio", boot(1)), os="<boot dev='hd'/>")),
    "an interface beside <os>": (BOOT, domain(net(boot(2)), os="<boot dev='network'/>")),
    "one PCI address": (ADDRESS, domain(disk("vda", "virtio", pci("0x07")), net(pci("7")))),
    "one PCI address, octal": (
        ADDRESS,
        domain(disk("vda", "virtio", pci("07")), net(pci("0x07"))),
    ),
    "a controller's PCI address": (
        ADDRESS,
        domain(
            disk("vda", "virtio", pci("0x07")),
            f"<controller type='scsi' model='virtio-scsi'>{pci('7')}</controller>",
        ),
    ),
    "one SCSI unit": (
        ADDRESS,
        domain(disk("sda", "scsi", drive(1)), disk("sdb", "scsi", drive("01"))),
    ),
    "one SATA unit": (
        ADDRESS,
        domain(disk("sda", "sata", drive(1)), disk("sdb", "sata", drive(1))),
    ),
    "a bus that is not named": (
        ADDRESS,
        domain(disk("sda", "scsi", drive(1)), disk("sdb", "", drive(1))),
    ),
    "a disk and a SCSI hostdev": (
        ADDRESS,
        domain(disk("sda", "scsi", drive(1)), scsi_hostdev(0, drive(1))),
    ),
    "two SCSI hostdevs": (
        ADDRESS,
        domain(scsi_hostdev(0, drive(1)), scsi_hostdev(1, drive(1))),
    ),
    "one USB port": (ADDRESS, domain(USB, disk("sda", "usb", usb("1")), tablet(usb("1")))),
    "one USB port, longer": (
        ADDRESS,
        domain(USB, disk("sda", "usb", usb("01.0")), tablet(usb("1"))),
    ),
    "a hub's port": (
        ADDRESS,
        domain(USB, f"<hub type='usb'>{usb('1')}</hub>", disk("sda", "usb", usb("1"))),
    ),
    "a bus of USB that is not named": (
        ADDRESS,
        domain(USB, disk("sda", "usb", "<address type='usb' port='1'/>"), tablet(usb("1"))),
    ),
    "one port of virtio-serial": (ADDRESS, domain(SERIAL, channel("a", 1), channel("b", 1))),
}

#: Domains that libvirt takes.
TAKEN = {
    "orders that differ": domain(disk("vda", "virtio", boot(2)), net(boot(10))),
    "a <boot> that nobody reads": domain(
        disk("vda", "virtio", boot(1)), f"<controller type='scsi'>{boot(1)}</controller>"
    ),
    "the second <boot> of a device": domain(disk("vda", "virtio", boot(1) + boot(2)), net(boot(2))),
    "a menu beside orders": domain(net(boot(1)), os="<bootmenu enable='yes'/>"),
    "<os> alone": domain(disk("vda", "virtio"), os="<boot dev='hd'/><boot dev='network'/>"),
    "two functions": domain(
        disk("vda", "virtio", pci("0x07", 0, " multifunction='on'")), net(pci("0x07", "0x1"))
    ),
    "no PCI address": domain(disk("vda", "virtio", pci("0x00")), net(pci("0x00"))),
    "the second address of a device": domain(
        disk("vda", "virtio", pci("0x07") + pci("0x08")), net(pci("0x08"))
    ),
    "no balloon": domain(
        disk("vda", "virtio", pci("7")), f"<memballoon model='none'>{pci('7')}</memballoon>"
    ),
    "no screen": domain(
        disk("vda", "virtio", pci("7")), f"<video><model type='none'/>{pci('7')}</video>"
    ),
    "a console that is the serial port": domain(
        f"<serial type='pty'><target type='pci-serial' port='0'/>{pci('7')}</serial>",
        f"<console type='pty'><target type='serial' port='0'/>{pci('7')}</console>",
    ),
    "one unit of two buses": domain(disk("sda", "sata", drive(1)), disk("hda", "ide", drive(1))),
    "two controllers": domain(disk("sda", "scsi", drive(1, 0)), disk("sdb", "scsi", drive(1, 1))),
    "USB without ports": domain(
        USB, disk("sda", "usb", "<address type='usb' bus='0'/>"), tablet("<address type='usb'/>")
    ),
    "port 0 of USB": domain(USB, disk("sda", "usb", usb("0")), tablet(usb("0"))),
    "port 0 of virtio-serial": domain(SERIAL, channel("a", 0), channel("b", 0)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_libvirt_refuses_is_found_once(name: str) -> None:
    code, text = REFUSED[name]
    assert codes_found(text, RULES) == [code]


@pytest.mark.parametrize("name", TAKEN)
def test_what_libvirt_takes_is_fine(name: str) -> None:
    assert codes_found(TAKEN[name], RULES) == []


# Places and words


def test_each_device_behind_the_first_is_named() -> None:
    text = domain(
        disk("vda", "virtio", boot(3)), net(boot(1)), net(boot("3")), redirdev(boot("03"))
    )
    one, two = found(text, RULES)
    assert underlined(text, one) == "order='3'"
    assert underlined(text, two) == "order='03'"
    assert one.path == "devices.interface[1].boot"
    assert one.message == two.message == "the boot order '3' is that of devices.disk[0] already"
    assert one.expected == "an order of its own; '2' is free"


def test_both_ways_to_boot_are_told_once() -> None:
    text = domain(net(boot(2)), disk("vda", "virtio", boot(1)), os="<boot dev='cdrom'/>")
    (one,) = found(text, RULES)
    assert underlined(text, one) == "order='2'"
    assert one.message.startswith("<os> names 'cdrom' to boot from")


def test_the_order_and_os_are_two_mistakes() -> None:
    text = domain(disk("vda", "virtio", boot(1)), net(boot(1)), os="<boot dev='hd'/>")
    assert codes_found(text, RULES) == [BOOT, BOOT]


@pytest.mark.parametrize("system", ["xen", "exe"])
def test_a_system_without_firmware_does_not_read_boot(system: str) -> None:
    text = domain(net(boot(1)), os="<boot dev='hd'/>", system=system)
    assert codes_found(text, RULES) == []


@pytest.mark.parametrize("order", ["", "0", "00", "-1", "one", "1_0", "1 ", "9" * 5000, "\u0661"])
def test_what_is_no_order_is_the_grammar_s(order: str) -> None:
    assert codes_found(domain(net(boot(order)), redirdev(boot(order))), RULES) == []


@pytest.mark.parametrize(
    ("first", "second", "place", "message"),
    [
        (
            disk("vda", "virtio", pci("0x0a", "1")),
            net(pci("012", "0x1")),
            pci("012", "0x1"),
            "the PCI address '0000:00:0a.1' is that of devices.disk[0] ('vda') already",
        ),
        (
            net(pci("0x1f")),
            disk("vda", "virtio", pci("31")),
            pci("31"),
            "the PCI address '0000:00:1f.0' is that of devices.interface already",
        ),
        (
            disk("sda", "scsi", drive(1)),
            scsi_hostdev(0, drive(1)),
            drive(1),
            "the address controller='0' bus='0' target='0' unit='1' on scsi is that of"
            " devices.disk[0] ('sda') already",
        ),
        (
            disk("sda", "usb", usb("1.2")),
            tablet(usb("1.02")),
            usb("1.02"),
            "the port '1.2' of the USB bus '0' is that of devices.disk[0] ('sda') already",
        ),
        (
            disk("vda", "virtio", ccw("0x0001")),
            net(ccw("01")),
            ccw("01"),
            "the CCW address 'fe.0.0001' is that of devices.disk[0] ('vda') already",
        ),
        (
            channel("a", 1),
            channel("b", 1),
            "<address type='virtio-serial' controller='0' bus='0' port='1'/>",
            "the port '1' of the virtio-serial controller '0' is that of devices.channel[0]"
            " already",
        ),
    ],
)
def test_the_place_and_the_words_of_an_address(
    first: str, second: str, place: str, message: str
) -> None:
    text = domain(first, second)
    (one,) = found(text, RULES)
    assert underlined(text, one) == place
    assert one.column > text.index(second)
    assert one.message == message


@pytest.mark.parametrize(
    "address",
    [
        pci("0x"), pci("08"), pci("-1"), pci("1_0"), pci(""), pci("9" * 5000), pci("4294967296"),
        drive("0x1"), drive("one"), drive("\u0663"),
        usb(""), usb("1."), usb("a"),
        ccw("0x0001", ""), ccw("0x0001", "cssid='0xfe' "),
        "<address/>", "<address type='dimm' slot='0'/>", "<address type='isa' iobase='0x3f8'/>",
        "<address type='unassigned'/>",
    ],
)  # fmt: skip
def test_what_names_no_place_is_not_compared(address: str) -> None:
    text = domain(disk("sda", "scsi", address), disk("sdb", "scsi", address))
    assert codes_found(text, RULES) == []


@pytest.mark.parametrize("first", ["", "sda", "hda", "vda", "xvda", "ubda", "fda"])
def test_a_bus_that_is_not_named_follows_from_the_target(first: str) -> None:
    bus = {"sda": "scsi", "vda": "virtio", "xvda": "xen", "ubda": "uml"}.get(first, "ide")
    text = domain(disk(first, "", drive(1)), disk("sdz", bus, drive(1)))
    assert codes_found(text, RULES) == [ADDRESS]


def test_a_floppy_s_bus_is_that_of_floppies() -> None:
    floppies = [disk("fda", "", drive(1), device="floppy"), disk("fdb", "fdc", drive(1))]
    assert codes_found(domain(*floppies), RULES) == [ADDRESS]


def test_other_hypervisors_compare_drives_alone() -> None:
    pairs = [disk("sda", "scsi", drive(1)), disk("sdb", "scsi", drive(1))]
    assert codes_found(domain(*pairs, type="vmware"), RULES) == [ADDRESS]
    text = domain(disk("xvda", "xen", pci("7")), net(pci("7")), type="xen")
    assert codes_found(text, RULES) == []


def test_the_two_domains_of_a_snapshot_are_two() -> None:
    one = domain(disk("vda", "virtio", boot(1) + pci("7")))
    other = one.replace("<domain ", "<inactiveDomain ").replace("</domain>", "</inactiveDomain>")
    assert codes_found(f"<domainsnapshot>{one}{other}</domainsnapshot>", RULES) == []
    twice = domain(disk("vda", "virtio", pci("7")), net(pci("7")))
    assert codes_found(f"<domainsnapshot>{twice}{other}</domainsnapshot>", RULES) == [ADDRESS]


def test_a_host_s_addresses_are_none_of_the_guest_s() -> None:
    source = f"<source>{pci('7')}</source>"
    text = domain(
        f"<hostdev mode='subsystem' type='pci'>{source}</hostdev>", net(pci("7")),
        f"<hostdev mode='subsystem' type='pci'>{source}{pci('8')}</hostdev>",
    )  # fmt: skip
    assert codes_found(text, RULES) == []


@pytest.mark.parametrize("root", ["network", "domainsnapshot", "disk"])
def test_what_holds_no_domain_has_no_devices(root: str) -> None:
    """A network has addresses as well, of the host."""
    inside = f"<forward mode='hostdev'>{pci('7')}{pci('7')}</forward>{boot(1)}{boot(1)}"
    checked = Checker(Options()).check_bytes(f"<{root}>{inside}</{root}>".encode(), "a.xml")
    assert not {one.rule for one in checked.findings} & {*RULES}


@given(st.lists(st.integers(1, 6), max_size=12))
def test_an_order_is_free_to_the_first_that_has_it(orders: list[int]) -> None:
    text = domain(*(net(boot(order)) for order in orders))
    findings = found(text, RULES)
    assert len(findings) == len(orders) - len({*orders})
    free = min({*range(1, 14)} - {*orders})
    assert {one.expected for one in findings} <= {f"an order of its own; '{free}' is free"}


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), max_size=12), st.data())
def test_addresses_are_compared_by_their_numbers(
    places: list[tuple[int, int]], data: st.DataObject
) -> None:
    spellings = st.sampled_from(["{}", "{:#x}", "{:#06x}", "0{:o}", "+{}", " {}"])
    text = domain(
        *(net(pci(*(data.draw(spellings).format(one) for one in place))) for place in places)
    )
    assert len(found(text, RULES)) == len(places) - len({*places})


# libvirt


def quotes(code: str) -> set[str]:
    """What the page of a rule quotes."""
    return {*re.findall('"([^"]+)"', " ".join(rule(code).documentation.split()))}


@NEEDED[0]
@NEEDED[1]
def test_libvirt_refuses_and_takes_the_same() -> None:
    """In the words of the pages, each of which it says, but of CCW: that takes QEMU for s390x."""
    answers = native([*(text for _, text in REFUSED.values()), *TAKEN.values()], "-M")
    said: set[str] = set()
    for (code, text), answer in zip(REFUSED.values(), answers, strict=False):
        assert isinstance(answer, str), text
        here = {one for one in quotes(code) if answer.endswith(one)}
        assert here, answer
        said |= here
    unsaid = (quotes(BOOT) | quotes(ADDRESS)) - said
    assert unsaid == {"The CCW devno 'fe.0.0001' is in use already"}
    for name, one in zip(TAKEN, answers[len(REFUSED) :], strict=True):
        assert not isinstance(one, str), (name, one)


@NEEDED[0]
@NEEDED[1]
def test_libvirt_judges_the_examples_alike() -> None:
    examples = [
        text.replace("'kvm'", "'qemu'")
        for code in RULES
        for text in (rule(code).failing, rule(code).passing)
    ]
    answers = native(examples, "-M")
    assert [isinstance(one, str) for one in answers] == [True, False] * 2
    for code, said in zip(RULES, answers[::2], strict=True):
        assert said.partition(": ")[2] in quotes(code)
