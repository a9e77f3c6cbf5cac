
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The shape of JSON, 64 bytes at a time: one function for each kind of walk,
 * and the scanner that chooses among them, a part of guardrail_json_block.h,
 * which says what is defined before.
 */


/* the walk and the model are constants in each: eight loops of their own */

#define GUARDRAIL_JSON_BLOCKS(name, walk, memory)                             \
                                                                              \
    static JSON_TARGET GUARDRAIL_APART size_t                                 \
    name(guardrail_json_fast_t *f, guardrail_json_t *s, const uint8_t *p,     \
        size_t len)                                                           \
    {                                                                         \
        return guardrail_json_blocks(f, s, p, len, walk, memory);             \
    }


GUARDRAIL_JSON_BLOCKS(guardrail_json_blocks_lines, json_walk_lines, 0)
GUARDRAIL_JSON_BLOCKS(guardrail_json_blocks_lines_counted,
                      json_walk_lines_counted, 0)
GUARDRAIL_JSON_BLOCKS(guardrail_json_blocks_text, json_walk_text, 0)
GUARDRAIL_JSON_BLOCKS(guardrail_json_blocks_text_counted,
                      json_walk_text_counted, 0)
GUARDRAIL_JSON_BLOCKS(guardrail_json_told_lines, json_walk_lines, 1)
GUARDRAIL_JSON_BLOCKS(guardrail_json_told_lines_counted,
                      json_walk_lines_counted, 1)
GUARDRAIL_JSON_BLOCKS(guardrail_json_told_text, json_walk_text, 1)
GUARDRAIL_JSON_BLOCKS(guardrail_json_told_text_counted,
                      json_walk_text_counted, 1)


/* in the order of guardrail_json_walk_e; with a memory model, the others */

static const guardrail_json_blocks_pt  guardrail_json_blocks_all[2][4] = {
    {
        guardrail_json_blocks_lines,
        guardrail_json_blocks_lines_counted,
        guardrail_json_blocks_text,
        guardrail_json_blocks_text_counted
    },
    {
        guardrail_json_told_lines,
        guardrail_json_told_lines_counted,
        guardrail_json_told_text,
        guardrail_json_told_text_counted
    }
};


static size_t
guardrail_json_scan(guardrail_json_t *s, const uint8_t *p, size_t len)
{
    size_t                  i, n, rest;
    unsigned                memory;
    guardrail_json_fast_t   f;
    guardrail_json_scan_pt  scalar;

    memory = (s->memory != NULL);
    scalar = memory ? guardrail_json_scan_memory : guardrail_json_scan_scalar;

    for (i = 0; i < len; i += rest) {
        rest = JSON_FEW;

        if (len - i >= JSON_FEW && guardrail_json_eligible(s)) {
            guardrail_json_fast_begin(&f, s);

            f.first = p;
            f.from = p + i;

            n = guardrail_json_blocks_all[memory][f.walk](&f, s, p + i,
                                                          len - i);

            if (memory) {
                guardrail_json_tell_end(&f, s, p + i + n);
            }

            guardrail_json_fast_end(&f, s, p + i, p + i + n);

            i += n;

            /* of the block that was left */

            rest = 64 - n % 64;
        }

        if (rest > len - i) {
            rest = len - i;
        }

        rest = scalar(s, p + i, rest);

        if (s->rc != GUARDRAIL_OK) {
            return i + rest;
        }
    }

    return len;
}
