#!/usr/bin/perl

# Copyright (C) nginx-guardrail authors

# Legal data may compress absurdly well.  With a floor of 4m it passes, though
# its ratio is above the limit; the default floor of 1m is for smaller bodies.

use strict;
use warnings;

use lib 't/lib';

use Digest::SHA qw(sha1_hex);

use Guardrail::Test;

my $t = Guardrail::Test->new;
my $backend = $t->backend;

$t->define(G => join ' ', map { "\$guardrail_$_" }
           qw(verdict decoded_bytes ratio));

$t->start(server => <<'SERVER');
    add_header X-G "%%G%%" always;

    guardrail on;
    client_max_body_size 8m;

    location / {
        guardrail_max_ratio 200 floor=4m;
        proxy_pass http://%%BACKEND%%;
    }

    location /1m {
        proxy_pass http://%%BACKEND%%;
    }
SERVER


# so many bytes of a repeated text

sub repeat {
    my ($text, $len) = @_;

    return substr $text x ($len / length($text) + 1), 0, $len;
}


my $heartbeat = qq({"type":"heartbeat","host":"web-17.example.com","status":)
                . qq("ok","uptime":86400,"load":0.42,"time":"2024-05-01T12:00:)
                . qq(00Z","version":"3.11.7","region":"eu-central-1"}\n);
my %data = (
    'heartbeat lines' => repeat($heartbeat, 5000000),
    'CSV of zeros'    => repeat('0,' x 99 . "0\n", 5000000),
    'sparse vectors'  => repeat('[' . join(', ', (0) x 767) . "]\n", 5000000),
    'app logs'        => join('', map {
        sprintf qq(2024-05-01T12:%02d:%02d INFO worker-%d request %d done\n),
                $_ / 60 % 60, $_ % 60, $_ % 7, $_ * 7919 % 1000003
    } 1 .. 30000),
);
my %body = map { $_ => gzip($data{$_}) } keys %data;

each_framing {
    my ($f) = @_;

    for my $name (sort keys %data) {
        my $body = $body{$name};
        my $len = length $data{$name};
        my $ratio = $len / length $body;

        for my $how ([], [cut => 1024], [chunk => 100]) {
            my $r = $t->post('/', $body, framing => $f, encoding => 'gzip',
                             @$how);

            is($r->status, 200, "$name, @$how: passes");
            is($r->json->{sha1}, sha1_hex($body), "$name, @$how: arrived");
            is($r->header('X-G'), sprintf('pass %d %.3f', $len, $ratio),
               "$name, @$how: variables");
        }

        my $status = $len <= (1 << 20) + 200 * (length($body) - 18)
                     ? 200 : 413;

        is($status, 413, "$name: above the ratio") if $name ne 'app logs';
        is($t->post('/1m', $body, framing => $f, encoding => 'gzip')->status,
           $status, "$name: with a floor of 1m");
    }
};

$t->done;
