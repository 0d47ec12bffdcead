package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"pithings/mqttlink/broker/passwd"
)

func TestHashPasswordOfStandardInput(t *testing.T) {
	var out, errs bytes.Buffer
	if code := execute(context.Background(), []string{"hash-password"}, strings.NewReader("hush hush\r\nignored\n"), &out, &errs); code != exitOK {
		t.Fatalf("%d: %s", code, errs.String())
	}
	h, err := passwd.Parse(strings.TrimSuffix(out.String(), "\n"))
	if err != nil || !h.Matches("hush hush") {
		t.Errorf("%s: %v", out.String(), err)
	}
	out.Reset()
	if code := execute(context.Background(), []string{"hash-password"}, strings.NewReader("\n"), &out, &errs); code == exitOK || out.Len() > 0 {
		t.Errorf("an empty password: %d, %s", code, out.String())
	}
	if code := execute(context.Background(), []string{"hash-password", "hush"}, strings.NewReader(""), &out, &errs); code != exitUsage {
		t.Errorf("a password as an argument, which others can read: %d", code)
	}
}
