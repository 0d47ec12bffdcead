package certs

import (
	"strings"
	"testing"
	"time"
)

// Whatever a file holds, reading it ends, and what is read can be used.
func FuzzBlocks(f *testing.F) {
	ca := issue(f, "ca", nil, authority)
	for _, s := range []string{
		pemOf(ca), ca.keyPEM(f), string(ca.cert.Raw), "\xff\xfe-\x00", "\xef\xbb\xbf-----BEGIN A-----\n-----END A-----",
		strings.ReplaceAll(pemOf(ca), "\n", `\n`), strings.Repeat("-----BEGIN A-----", 9), "-----BEGIN A-----B: C\n\n-----END A----------BEGIN ",
		"0\x80\x02\x01\x03", "0\x03\x02\x01\x01",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list := blocks(data)
		for _, b := range list {
			if b.err == nil && len(b.der) == 0 && !b.encrypted {
				t.Errorf("a block of kind %q holds nothing and no error", b.kind)
			}
		}
		good, odd, why := certificates(list, oidServerAuth)
		if len(good)+odd > len(list) || (odd > 0) != (why != nil) {
			t.Errorf("%d good, %d odd of %d; %v", len(good), odd, len(list), why)
		}
		for _, w := range []want{wantCertificate, wantAuthority, wantKey} {
			if what, fix := instead(data, list, "f", w); what == "" || fix == "" {
				t.Errorf("no word about it: %q %q", what, fix)
			}
		}
		if keys, err := privateKeys(data, "f"); (len(keys) > 0) == (err != nil) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
	})
}

// BEGIN lines without an END are read in one go: 4 MiB of them take no longer than 4
// MiB of anything.
func TestBeginLinesAlone(t *testing.T) {
	n, began := 1<<18, time.Now()
	if got := len(pemBlocks(strings.Repeat("-----BEGIN A-----", n))); got != n {
		t.Errorf("%d blocks", got)
	}
	// A look for an END behind each of them takes minutes.
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}
