package main

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pithings/spool/pub"
)

// On a terminal the line is written again in its place, and what is logged takes it.
func TestProgressOnATerminal(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.terminal = true
	p.show(pub.Progress{Left: 3})
	p.show(pub.Progress{Left: 150, Delivered: 50, Since: 5 * time.Second})
	fmt.Fprintln(p, "log")
	fmt.Fprintln(p, "log")
	p.show(pub.Progress{Left: 1})
	p.end()
	const line = "\r\x1b[K"
	want := line + "3 messages wait, 0 delivered" + line + "150 messages wait, 50 delivered (25 %), 10/s, 15s left" + line + "log\nlog\n" + line + "1 messages wait, 0 delivered\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}
