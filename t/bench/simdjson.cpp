
/*
 * Copyright (C) nginx-guardrail authors
 *
 * simdjson beside our own scanner, in json.c: all values are walked over as
 * they stand (On-Demand), without reading numbers or strings; and white space
 * is removed (minify), which is its first stage and a copy.
 */


#include <simdjson.h>

#include <cstddef>
#include <cstdint>


extern "C" {

uint64_t bench_simdjson_ondemand(const char *body, size_t len, size_t room,
    int lines);
size_t bench_simdjson_minify(const char *body, size_t len, char *to);

}


using namespace simdjson;


static ondemand::parser  parser;


/* containers and scalars; exceptions tell of what is no JSON */

template <typename T>
static uint64_t
walk(T &&value)
{
    uint64_t  n = 1;

    switch (value.type()) {

    case ondemand::json_type::array:

        for (auto element : value.get_array()) {
            n += walk(element.value());
        }

        break;

    case ondemand::json_type::object:

        for (auto field : value.get_object()) {
            (void) field.key();
            n += 1 + walk(field.value());
        }

        break;

    default:
        (void) value.raw_json_token();
    }

    return n;
}


/* 0 of what it does not take; body has room for its padding behind len */

uint64_t
bench_simdjson_ondemand(const char *body, size_t len, size_t room, int lines)
{
    uint64_t  n = 0;

    try {

        if (!lines) {
            auto  doc = parser.iterate(padded_string_view(body, len, room));

            return walk(doc.value());
        }

        ondemand::document_stream  docs;

        if (parser.iterate_many(body, len, len).get(docs) != SUCCESS) {
            return 0;
        }

        for (auto doc : docs) {
            n += walk(doc.value());
        }

    } catch (const simdjson_error &) {
        return 0;
    }

    return n;
}


size_t
bench_simdjson_minify(const char *body, size_t len, char *to)
{
    size_t  n = 0;

    return simdjson::minify(body, len, to, n) == SUCCESS ? n : 0;
}
