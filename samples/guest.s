# The guest of first_boot.py: one sector, which a BIOS boots.
#
# On its serial port it says the drive that it came from and the text in sector
# 1; it counts its boots in sector 2, and says how many there were.  Then it
# halts.  guest.hex is this file assembled, so that nobody needs an assembler:
#
#     as --32 -o guest.o guest.s
#     ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o guest guest.o

        .code16
        .set    COM1, 0x3f8
        .set    BUFFER, 0x8000

        .globl  _start
_start: ljmp    $0, $1f
1:      xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %ss
        mov     $_start, %sp
        cld
        mov     %dl, drive

        mov     $booted, %si            # guest: booted from BIOS disk 80
        call    puts
        mov     drive, %al
        shr     $4, %al
        call    digit
        mov     drive, %al
        and     $15, %al
        call    digit

        mov     $says, %si              # guest: sector 1 says: ...
        call    puts
        movb    $1, sector
        mov     $0x42, %ah              # int 13h: extended read
        call    disk
        mov     $BUFFER, %si
        call    puts

        mov     $count, %si             # guest: boot number 1, ...
        call    puts
        movb    $2, sector
        mov     $0x42, %ah
        call    disk
        incb    BUFFER
        mov     BUFFER, %al
        call    digit
        mov     $written, %si
        call    puts
        mov     $0x43, %ah              # int 13h: extended write
        call    disk
        mov     $end, %si
        call    puts
halt:   hlt
        jmp     halt

disk:   mov     drive, %dl              # the sector to or from BUFFER
        mov     $packet, %si
        xor     %al, %al
        int     $0x13
        jc      1f
        ret
1:      mov     $failed, %si
        call    puts
        jmp     halt

digit:  add     $'0', %al               # al, up to 9, as one digit
putc:   push    %ax
        mov     $COM1 + 5, %dx
1:      in      %dx, %al
        test    $0x20, %al
        jz      1b
        pop     %ax
        mov     $COM1, %dx
        out     %al, %dx
        ret

puts:   lodsb                           # the text at si, up to a NUL
        test    %al, %al
        jz      1f
        call    putc
        jmp     puts
1:      ret

booted: .asciz  "guest: booted from BIOS disk "
says:   .asciz  "\nguest: sector 1 says: "
count:  .asciz  "\nguest: this is boot number "
written:
        .asciz  ", which I write to sector 2"
end:    .asciz  "\nguest: written\n"
failed: .asciz  "\nguest: the disk failed\n"

drive:  .byte   0
        .balign 4
packet: .byte   16, 0                   # int 13h's packet: its size,
        .word   1                       # one sector,
        .word   BUFFER, 0               # from or to where,
sector: .quad   0                       # which

        .org    510
        .word   0xaa55
