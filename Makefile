
# Copyright (C) nginx-guardrail authors

# The commands of the project.  The work is done by nginx's own configure and
# by the scripts in t/tools; see t/README.md for the tests.
#
#   NGINX_SRC=dir   build for this source tree, not for the installed nginx
#   DESTDIR=dir     a prefix for "make install" and "make uninstall"
#   ARGS=...        arguments of "make run", as --once

SHELL = /bin/bash
MODULE = build/ngx_http_guardrail_module.so

export NGINX_SRC NGINX_CONF_FLAGS


all:
	@t/tools/deps.sh build
	@t/tools/build.sh release

run:
	@t/tools/deps.sh build run
	@t/tools/build.sh release
	@t/tools/run.sh $(ARGS)

test:
	@t/tools/test.sh

install: all
	@dir=$$(t/tools/modules-path.sh) && \
	install -D -m 644 $(MODULE) "$(DESTDIR)$$dir/$(notdir $(MODULE))" && \
	echo "$(DESTDIR)$$dir/$(notdir $(MODULE))" && \
	echo "at the top of nginx.conf:" && \
	echo "    load_module $$dir/$(notdir $(MODULE));"

uninstall:
	@dir=$$(t/tools/modules-path.sh) && \
	rm -f "$(DESTDIR)$$dir/$(notdir $(MODULE))"

bench:
	@t/tools/deps.sh build run bench
	@t/tools/build.sh release
	@t/tools/bench.sh $(ARGS)

unit:
	@t/tools/unit.sh

fuzz:
	@t/tools/fuzz.sh $(ARGS)

check:
	@t/tools/check.sh

sanitize:
	@t/tools/sanitize.sh $(ARGS)

coverage:
	@t/tools/coverage.sh $(ARGS)

page-test:
	@t/tools/deps.sh build page
	@t/tools/build.sh release
	@t/tools/page.sh $(ARGS)

matrix:
	@t/tools/matrix.sh $(ARGS)

deb:
	@t/tools/deb.sh $(ARGS)

deb-test:
	@t/tools/deb-test.sh $(ARGS)

clean:
	rm -rf build


.PHONY: all run test install uninstall bench unit fuzz check sanitize coverage \
	page-test matrix deb deb-test clean
