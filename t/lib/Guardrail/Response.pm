package Guardrail::Response;

# Copyright (C) nginx-guardrail authors

# What came back.  Fields: status, reason, headers ([name, value] pairs),
# body, interim (statuses of 1xx answers), error ('' or why there is no
# complete response: timeout, eof, reset, malformed), reset (HTTP/2 error
# code), sent (body bytes that went out), sent_all, conn.

use strict;
use warnings;

use JSON::PP ();


sub new {
    my ($class, %field) = @_;

    return bless {
        status  => 0,
        reason  => '',
        headers => [],
        body    => '',
        interim => [],
        error   => '',
        %field,
    }, $class;
}


sub status  { return $_[0]{status} }
sub reason  { return $_[0]{reason} }
sub body    { return $_[0]{body} }
sub error   { return $_[0]{error} }
sub conn    { return $_[0]{conn} }
sub interim { return @{$_[0]{interim}} }


# the value of a field, several joined by ", ", undef without it

sub header {
    my ($self, $name) = @_;
    my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name }
                 @{$self->{headers}};

    return @values ? join(', ', @values) : undef;
}


# an empty hash for what is no JSON

sub json {
    my ($self) = @_;

    return eval { JSON::PP->new->decode($self->{body}) } || {};
}


# the fact, not what a Connection field says

sub closed {
    my ($self, @seconds) = @_;

    return $self->{conn}->closed(@seconds);
}


1;
