#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Prints the directory from which the installed nginx loads modules.

set -eu

PATH=$PATH:/usr/sbin:/usr/local/nginx/sbin
conf=$("${TEST_NGINX:-nginx}" -V 2>&1)

path=$(sed -n "s/.*--modules-path='\{0,1\}\([^ ']*\).*/\1/p" <<< "$conf")
prefix=$(sed -n "s/.*--prefix='\{0,1\}\([^ ']*\).*/\1/p" <<< "$conf")

echo "${path:-${prefix:-/usr/local/nginx}/modules}"
