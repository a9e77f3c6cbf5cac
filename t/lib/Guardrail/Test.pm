package Guardrail::Test;

# Copyright (C) nginx-guardrail authors

# The harness of the tests in t/*.t; t/README.md shows how one is written.

use strict;
use warnings;

use parent 'Guardrail::Nginx';

use Exporter qw(import);
use Test::More;

use Guardrail::Client;
use Guardrail::Data;
use Guardrail::Http1;
use Guardrail::Http2;
use Guardrail::Http3;
use Guardrail::Peer;
use Guardrail::Util qw(read_file root sanitized scale wait_until
                       write_file);

our @framings = qw(cl chunked h2 h2-cl);
our @EXPORT = (@Guardrail::Data::EXPORT, @Test::More::EXPORT,
               qw(each_framing read_file root sanitized scale wait_until
                  write_file));

my @running;

select((select(STDOUT), $| = 1)[0]);

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);


sub new {
    my ($class, @args) = @_;
    my $self = $class->SUPER::new(@args);

    $self->{peers} = {};
    push @running, $self;

    return $self;
}


# A recording backend; %%NAME%% in a configuration is its address.  The
# protocol is http, fastcgi, uwsgi or scgi; the name is BACKEND for http,
# else the protocol's, unless given with name =>.

sub peer {
    my ($self, $protocol, %opt) = @_;
    my $name = delete $opt{name}
               // ($protocol eq 'http' ? 'BACKEND' : uc $protocol);

    die "two peers are called $name\n" if $self->{peers}{$name};

    my $peer = Guardrail::Peer->new($protocol, %opt);

    $self->{peers}{$name} = $peer;
    $self->define($name, '127.0.0.1:' . $peer->port);

    return $peer;
}


sub backend {
    my ($self, %opt) = @_;

    return $self->peer('http', %opt);
}


# connections for the tests that speak for themselves

sub h1 {
    my ($self, %opt) = @_;

    return Guardrail::Http1->new(path => $opt{path}) if defined $opt{path};
    return Guardrail::Http1->new(port => $opt{port} // $self->port('PORT'));
}


sub h2 {
    my ($self, %opt) = @_;

    return Guardrail::Http2->new(port => $opt{port} // $self->port('H2PORT'));
}


# Guardrail::Http3::listen() in the server opens its port

sub h3 {
    my ($self, %opt) = @_;

    return Guardrail::Http3->new(port => $opt{port} // $self->port('H3PORT'));
}


# One request, one response (see Response.pm).
#
#   framing => cl, chunked, h2, h2-cl, h3, h3-cl
#   type, encoding          Content-Type, Content-Encoding
#   headers => [n, v, ..]   more fields; host => for another Host
#   length => N             declare this length, whatever is sent
#   cut, cuts, pause, drain how the bytes are cut, see Client.pm and Http2.pm
#   chunk => N              the size of a chunk
#   end => 0                send no last chunk, or no END_STREAM
#   empty_end, pad          HTTP/2 only, see Http2.pm
#   expect => 1             send Expect, and the body after 100 only
#   stubborn => 1           go on sending when the answer is there
#   timeout => S            for the answer
#   conn => $c              an open connection, from h1(), h2() or a response
#   port => N
#   read => 0               do not wait for the answer (HTTP/2: stream id)
#
# The body is a string, undef, or code that returns the next piece.

sub request {
    my ($self, $method, $uri, $body, %opt) = @_;
    my $framing = $opt{framing} ||= 'cl';
    my @headers = @{delete $opt{headers} || []};

    die "unknown framing: $framing\n"
        unless grep { $_ eq $framing } @framings, qw(h3 h3-cl);

    unshift @headers, 'Content-Encoding', $opt{encoding}
        if defined $opt{encoding};
    unshift @headers, 'Content-Type', $opt{type} if defined $opt{type};

    my $conn = $opt{conn}
               || ($framing =~ /^h3/ ? $self->h3(port => $opt{port})
                   : $framing =~ /^h2/ ? $self->h2(port => $opt{port})
                                       : $self->h1(port => $opt{port}));

    return $conn->request($method, $uri, $body, %opt, headers => \@headers);
}


sub post {
    my ($self, $uri, $body, %opt) = @_;

    return $self->request('POST', $uri, $body, %opt);
}


sub get {
    my ($self, $uri, %opt) = @_;

    return $self->request('GET', $uri, undef, %opt);
}


# Runs a subtest for each framing, or for those that are named:
#
#     each_framing { my ($f) = @_; ... };
#     each_framing { ... } qw(cl chunked);

sub each_framing (&;@) {
    my ($code, @names) = @_;

    for my $framing (@names ? @names : @framings) {
        subtest "framing $framing" => sub { $code->($framing) };
    }
}


# This test cannot run here.

sub skip_all {
    my ($self, $why) = @_;

    $self->_clean;
    plan(skip_all => $why);
}


# Stops all and looks at what was left behind.

sub done {
    my ($self) = @_;

    if ($self->{pid}) {
        is(join(' ', $self->worker_pids), join(' ', @{$self->{started}}),
           'workers are the same') unless $self->{changed};
        ok($self->stop, 'nginx stopped when asked to');
    }

    if ($self->{ran}) {
        is(join('', $self->bad_lines), '', 'nothing bad in the error log');
        is($self->valgrind_reports, '', 'nothing from valgrind')
            if $ENV{TEST_VALGRIND};
    }

    done_testing;
    $self->_clean;
}


sub _clean {
    my ($self) = @_;

    Guardrail::Client::close_all();
    $self->kill_all;
    $_->stop for values %{$self->{peers}};
    @running = grep { $_ != $self } @running;

    if (!Test::More->builder->is_passing) {
        my @lines = split /^/, $self->error_log;

        splice @lines, 0, -30 if @lines > 30;
        diag('end of the error log:');
        diag(join '', @lines);
    }

    if ($ENV{TEST_LEAVE}) {
        diag("left behind: $self->{dir}");

    } else {
        $self->remove;
    }
}


# a test that died leaves nothing running either

END {
    my $status = $?;

    my @mine = grep { $_->{owner} == $$ } @running;

    for my $self (@mine) {
        diag('the test ended without $t->done') if $status == 0;
        $status ||= 1;
        $self->_clean;
    }

    $? = $status;
}


1;
