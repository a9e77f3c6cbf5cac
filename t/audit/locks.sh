#!/bin/bash

# Copyright (C) nginx-guardrail authors

# What the lock audit needs of the linker:
#
#     t/audit/locks.sh options | stubs OBJECT...
#
# options prints those for gcc, stubs an assembler source: for each function
# named *_locked that an object defines, and for each of nginx's and the
# library's that must not be called under a lock, one that asks and goes on.

set -eu

what=$1
shift

outside="ngx_palloc ngx_pnalloc ngx_pcalloc ngx_pmemalign ngx_alloc ngx_calloc
         ngx_array_push ngx_array_create ngx_list_push ngx_create_temp_buf
         ngx_pool_cleanup_add ngx_http_cleanup_add ngx_slab_alloc
         ngx_slab_alloc_locked ngx_log_error_core ngx_http_complex_value
         ngx_http_get_indexed_variable ngx_http_get_flushed_variable
         ngx_regex_exec ngx_open_file ngx_read_file ngx_write_file malloc
         calloc realloc free open read write"

locked=$(nm --defined-only --extern-only "$@" |
         sed -n 's/.* T \(guardrail_[a-z_]*_locked\)$/\1/p' | sort -u)

# some are macros, and what the module does not call is not there to go on to

called=$(nm --undefined-only "$@" | sed -n 's/^ *U //p' | sort -u)
outside=$(tr -s ' \n' '\n\n' <<< "$outside" | sort -u |
          comm -12 - <(echo "$called"))

if [ -z "$locked" ]; then
    echo "locks.sh: no function is named *_locked" >&2
    exit 1
fi

if [ "$what" = options ]; then
    for f in $locked $outside ngx_shmtx_trylock ngx_shmtx_lock \
             ngx_shmtx_unlock
    do
        echo "-Wl,--wrap=$f"
    done

    exit
fi


# stub NAME ASK REGISTER: what the function takes, and al, which tells how
# many vectors a variadic one has, is kept; so are the vectors, since ASK does
# not touch them

stub() {
    cat << END
    .globl  __wrap_$1
    .type   __wrap_$1, @function
__wrap_$1:
    push    %rdi
    push    %rsi
    push    %rdx
    push    %rcx
    push    %r8
    push    %r9
    push    %rax
    lea     name_$1(%rip), $3
    call    $2
    pop     %rax
    pop     %r9
    pop     %r8
    pop     %rcx
    pop     %rdx
    pop     %rsi
    pop     %rdi
    jmp     __real_$1@PLT
    .size   __wrap_$1, . - __wrap_$1

    .pushsection .rodata
name_$1:
    .asciz  "$1"
    .popsection

END
}


echo "    .text"

for f in $locked; do
    stub "$f" guardrail_audit_locked %rsi
done

for f in $outside; do
    stub "$f" guardrail_audit_outside %rdi
done

echo '    .section .note.GNU-stack, "", @progbits'
