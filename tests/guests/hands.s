# A guest that does what it is told over its first serial port.
#
# The BIOS loads the first sector; that loads the others.  It says which drive
# it came from, reads DATA, writes MARK, says 'ready', and then takes one line
# at a time.  Numbers are hexadecimal; each answer is one line which begins
# with the letter of the command.  STATUS is what int 13h leaves in ah: 00 is
# success.  How each line looks is said in __init__.py.
#
# DATA and MARK are given with --defsym.

        .code16
        .set    SECTORS, 4
        .set    COM1, 0x3f8
        .set    PIC, 0x20
        .set    LINE, 0x9000            # the line that is being read
        .set    SECTOR, 0xa000          # what int 13h reads and writes

        .globl  _start
_start: cli
        ljmp    $0, $1f
1:      xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $_start, %sp
        sti
        cld
        mov     %dl, drive

        mov     $COM1 + 3, %dx          # 115200 baud, 8n1, FIFO, modem lines
        mov     $0x80, %al
        out     %al, %dx
        mov     $COM1, %dx
        mov     $1, %al
        out     %al, %dx
        inc     %dx
        xor     %al, %al
        out     %al, %dx
        mov     $COM1 + 3, %dx
        mov     $3, %al
        out     %al, %dx
        mov     $COM1 + 2, %dx
        mov     $7, %al
        out     %al, %dx
        mov     $COM1 + 4, %dx
        mov     $0x0b, %al
        out     %al, %dx

        mov     $boots, %si
        call    puts
        mov     drive, %al
        call    hex8
        call    space
        mov     $rest, %si              # the other sectors
        mov     drive, %dl
        mov     $0x42, %ah
        int     $0x13
        mov     %ah, %al
        pushf
        call    hex8
        call    newline
        popf
        jc      stop
        jmp     main
stop:   cli
        hlt
        jmp     stop

putc:   push    %dx                     # al
        push    %ax
        mov     $COM1 + 5, %dx
1:      in      %dx, %al
        test    $0x20, %al
        jz      1b
        pop     %ax
        mov     $COM1, %dx
        out     %al, %dx
        pop     %dx
        ret

puts:   lodsb                           # the text at si
        test    %al, %al
        jz      1f
        call    putc
        jmp     puts
1:      ret

space:  mov     $' ', %al
        jmp     putc
newline:
        mov     $'\n', %al
        jmp     putc

hex32:  push    %eax
        shr     $16, %eax
        call    hex16
        pop     %eax
hex16:  push    %ax
        mov     %ah, %al
        call    hex8
        pop     %ax
hex8:   push    %ax
        shr     $4, %al
        call    1f
        pop     %ax
1:      push    %ax
        and     $0x0f, %al
        cmp     $10, %al
        jb      2f
        add     $'a' - '0' - 10, %al
2:      add     $'0', %al
        call    putc
        pop     %ax
        ret

boots:  .asciz  "boot "
drive:  .byte   0
        .balign 4
rest:   .byte   16, 0
        .word   SECTORS - 1
        .word   _start + 512, 0
        .quad   1

        .org    510
        .word   0xaa55

main:   mov     $1f, %ax                # the serial port's interrupt ends a hlt
        mov     %ax, 0x0c * 4
        movw    $0, 0x0c * 4 + 2
        in      $PIC + 1, %al
        and     $~0x10 & 0xff, %al
        out     %al, $PIC + 1
        jmp     2f

1:      push    %ax
        push    %dx
        mov     $COM1 + 1, %dx
        xor     %al, %al
        out     %al, %dx
        mov     $0x20, %al
        out     %al, $PIC
        pop     %dx
        pop     %ax
        iret

2:      movzbl  drive, %eax
        mov     %eax, arguments
        movl    $DATA, arguments + 4
        call    read
        movl    $MARK, arguments + 4
        movl    $0x4d, arguments + 8
        call    write
        mov     $ready, %si
        call    puts

next:   call    getline
        mov     $LINE + 1, %si
        mov     $arguments, %di
        mov     $3, %cx
1:      call    number
        stosl
        loop    1b
        mov     $commands, %si
2:      lodsb
        test    %al, %al
        jz      3f
        cmp     LINE, %al
        lodsw
        jne     2b
        call    *%ax
        jmp     next
3:      mov     $unknown, %si
        call    puts
        jmp     next

getc:   mov     $COM1 + 5, %dx          # al; waits for it
        cli
        in      %dx, %al
        test    $1, %al
        jnz     1f
        mov     $COM1 + 1, %dx
        mov     $1, %al
        out     %al, %dx
        sti
        hlt
        jmp     getc
1:      sti
        mov     $COM1, %dx
        in      %dx, %al
        ret

getline:
        mov     $LINE, %di
1:      call    getc
        cmp     $'\n', %al
        je      2f
        cmp     $LINE + 255, %di
        jae     1b
        stosb
        jmp     1b
2:      xor     %al, %al
        stosb
        ret

number: xor     %edx, %edx              # eax: the next one at si, 0 if there is none
1:      cmpb    $' ', (%si)
        jne     2f
        inc     %si
        jmp     1b
2:      mov     (%si), %al
        cmp     $' ', %al
        jbe     3f
        inc     %si
        sub     $'0', %al
        cmp     $10, %al
        jb      4f
        sub     $'a' - '0' - 10, %al
4:      shl     $4, %edx
        movzbl  %al, %eax
        or      %eax, %edx
        jmp     2b
3:      mov     %edx, %eax
        ret

said:   mov     LINE, %al               # the letter of the answer
        call    putc
        jmp     space

status: mov     %ah, %al
        jmp     hex8

# int 13h on one sector: ah is the function; carry and ah as the BIOS left them
sector: movb    $16, packet
        movb    $0, packet + 1
        movw    $1, packet + 2
        movw    $SECTOR, packet + 4
        movw    $0, packet + 6
        mov     arguments + 4, %ecx
        mov     %ecx, packet + 8
        movl    $0, packet + 12
        mov     arguments, %dl
        mov     $packet, %si
        xor     %al, %al
        push    %es
        int     $0x13
        pop     %es
        ret

read:   mov     $'r', %al               # r DRIVE LBA -> r STATUS SUM FIRST-16-BYTES
        call    putc
        call    space
        mov     $SECTOR, %di
        mov     $128, %cx
        mov     $0xdeadbeef, %eax
        rep     stosl
        mov     $0x42, %ah
        call    sector
        call    status
        call    space
        mov     $SECTOR, %si
        mov     $256, %cx
        xor     %edx, %edx
1:      lodsw
        movzwl  %ax, %eax
        add     %eax, %edx
        loop    1b
        mov     %edx, %eax
        call    hex32
        call    space
        mov     $SECTOR, %si
        mov     $16, %cx
2:      lodsb
        call    hex8
        loop    2b
        jmp     newline

write:  mov     $'w', %al               # w DRIVE LBA BYTE -> w STATUS
        call    putc
        call    space
        mov     $SECTOR, %di
        mov     $512, %cx
        mov     arguments + 8, %al
        rep     stosb
        mov     $0x43, %ah
        call    sector
        call    status
        jmp     newline

say:    mov     $LINE, %si              # s TEXT -> the same line
        call    puts
        jmp     newline

size:   call    said                    # g DRIVE -> g STATUS SECTORS
        mov     arguments, %dl
        movw    $0x1a, SECTOR
        movl    $0, SECTOR + 16
        mov     $SECTOR, %si
        mov     $0x48, %ah
        int     $0x13
        call    status
        call    space
        mov     SECTOR + 16, %eax
        call    hex32
        jmp     newline

port_in:                                # i PORT -> i VALUE
        call    said
        mov     arguments, %dx
        in      %dx, %eax
        call    hex32
        jmp     newline

port_out:                               # o PORT VALUE -> o
        mov     arguments, %dx
        mov     arguments + 4, %eax
        out     %eax, %dx
        call    said
        jmp     newline

peek:   call    said                    # m ADDRESS -> m 16-BYTES; below 1 MiB
        call    place
        mov     $16, %cx
1:      mov     %es:(%di), %al
        inc     %di
        call    hex8
        loop    1b
        push    %ds
        pop     %es
        jmp     newline

poke:   call    said                    # p ADDRESS VALUE COUNT -> p; 32 bits, COUNT times
        call    place
        mov     arguments + 4, %eax
        mov     arguments + 8, %cx
        rep     stosl
        push    %ds
        pop     %es
        jmp     newline

place:  mov     arguments, %eax         # es:di: the address
        mov     %ax, %di
        and     $15, %di
        shr     $4, %eax
        mov     %ax, %es
        ret

# write a count, read it back, again and again, until a byte comes
turn:   call    said                    # t DRIVE LBA -> t STATUS ROUNDS
        call    newline
        xor     %ebp, %ebp
1:      inc     %ebp
        mov     %ebp, %eax
        mov     $SECTOR, %di
        mov     $128, %cx
        rep     stosl
        mov     $0x43, %ah
        call    sector
        jc      2f
        mov     $SECTOR, %di
        mov     $128, %cx
        xor     %eax, %eax
        rep     stosl
        mov     $0x42, %ah
        call    sector
        jc      2f
        mov     %ebp, %eax
        mov     $SECTOR, %di
        mov     $128, %cx
        repe    scasl
        mov     $0xff, %ah
        jne     2f
        mov     $COM1 + 5, %dx
        in      %dx, %al
        test    $1, %al
        jz      1b
        xor     %ah, %ah
2:      push    %ax
        mov     $'t', %al
        call    putc
        call    space
        pop     %ax
        call    status
        call    space
        mov     %ebp, %eax
        call    hex32
        jmp     newline

ready:  .asciz  "ready\n"
unknown:
        .asciz  "?\n"
commands:
        .byte   'r'
        .word   read
        .byte   'w'
        .word   write
        .byte   's'
        .word   say
        .byte   'g'
        .word   size
        .byte   'i'
        .word   port_in
        .byte   'o'
        .word   port_out
        .byte   't'
        .word   turn
        .byte   'm'
        .word   peek
        .byte   'p'
        .word   poke
        .byte   0
        .balign 4
arguments:
        .long   0, 0, 0
packet: .fill   16

        .org    SECTORS * 512
