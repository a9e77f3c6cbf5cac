package Guardrail::Http3;

# Copyright (C) nginx-guardrail authors

# HTTP/3, spoken by h3client.py, whose process is the connection.

use strict;
use warnings;

use IPC::Open2;
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);

use Guardrail::Response;
use Guardrail::Util qw(root scale);


# why there is none here, or nothing

sub missing {
    my ($t) = @_;

    return 'nginx without HTTP/3'
        unless $t->build_options =~ /--with-http_v3_module/;
    return 'Python without aioquic'
        if system("python3 -c 'import aioquic.h3' 2> /dev/null");
    return 'no openssl'
        if system('openssl version > /dev/null 2>&1');

    return;
}


# directives of a server that listens on %%H3PORT%%

sub listen {
    my ($t) = @_;
    my $name = $t->dir . '/h3';

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
           . " -nodes -days 2 -subj /CN=localhost -keyout $name.key"
           . " -out $name.crt 2> /dev/null") == 0 or die "no certificate\n";

    return "listen 127.0.0.1:%%H3PORT%% quic; ssl_certificate $name.crt;"
           . " ssl_certificate_key $name.key;";
}


sub new {
    my ($class, %opt) = @_;
    my $self = bless { %opt }, $class;

    $self->{pid} = open2($self->{out}, $self->{in}, 'python3',
                         root . '/t/lib/h3client.py', $opt{port});

    readline $self->{out} or die "no HTTP/3 from port $opt{port}\n";

    return $self;
}


sub _ask {
    my ($self, %command) = @_;

    local $SIG{PIPE} = 'IGNORE';

    print {$self->{in}} JSON::PP->new->utf8->encode(\%command), "\n";
    $self->{in}->flush;

    my $line = readline $self->{out} // die "the HTTP/3 client has ended\n";

    return JSON::PP->new->utf8->decode($line);
}


# as those of Http2.pm

sub headers {
    my ($self, $headers, %opt) = @_;
    my @pairs;

    for (my $i = 0; $i < @$headers; $i += 2) {
        push @pairs, ["$headers->[$i]", "$headers->[$i + 1]"];
    }

    my $end = $opt{end} ? JSON::PP::true : JSON::PP::false;

    return $self->_ask(op => 'open', headers => \@pairs, end => $end)->{stream};
}


# cut => N: the size of DATA frames

sub data {
    my ($self, $stream, $data, %opt) = @_;

    return $self->_ask(op => 'data', stream => $stream, cut => $opt{cut} || 0,
                       data => encode_base64($data, ''),
                       end => $opt{end} ? JSON::PP::true
                                        : JSON::PP::false)->{sent};
}


sub rst {
    my ($self, $stream) = @_;

    $self->_ask(op => 'reset', stream => $stream);
}


# The response on a stream; {stopped} is the code of a STOP_SENDING that came.

sub read {
    my ($self, $stream, %opt) = @_;
    my $got = $self->_ask(op => 'read', stream => $stream,
                          timeout => $opt{timeout} // 10 * scale);
    my ($status) = map { $_->[1] } grep { $_->[0] eq ':status' }
                   @{$got->{headers}};

    return Guardrail::Response->new(
        conn    => $self,
        stream  => $stream,
        status  => $status || 0,
        headers => [grep { $_->[0] ne ':status' } @{$got->{headers}}],
        interim => $got->{interim},
        body    => decode_base64($got->{body}),
        reset   => $got->{reset},
        stopped => $got->{stopped},
        error   => $got->{ended} ? '' : defined $got->{reset} ? 'reset'
                   : defined $got->{gone} ? 'eof' : 'timeout',
    );
}


# the connection was closed

sub closed {
    my ($self) = @_;

    return defined $self->_ask(op => 'state')->{gone};
}


# The options are those of request() in Test.pm, as far as they make sense:
# length, headers, cut, end, read, timeout, framing => h3 or h3-cl.

sub request {
    my ($self, $method, $uri, $body, %opt) = @_;
    my @headers = @{$opt{headers} || []};
    my @out = (':method', $method, ':scheme', 'https', ':authority',
               $opt{host} // 'localhost', ':path', $uri);
    my $sent = 0;

    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        push @out, lc $name, $value;
    }

    push @out, 'content-length', $opt{length} // length $body
        if defined $opt{length}
           || (defined $body && ($opt{framing} || '') eq 'h3-cl');

    my $stream = $self->headers(\@out, end => !defined $body);

    $sent = $self->data($stream, $body, %opt, end => $opt{end} // 1)
        if defined $body;

    return $stream if exists $opt{read} && !$opt{read};

    my $r = $self->read($stream, timeout => $opt{timeout});

    @$r{'sent', 'sent_all'} = ($sent, $sent == length($body // ''));

    return $r;
}


sub close {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    close $_ for delete @$self{'in', 'out'};

    local $?;
    waitpid $pid, 0;
}


sub DESTROY {
    my ($self) = @_;

    $self->close;
}


1;
