package authority

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A certificate is issued for a device's key, in memory, and ends when it is asked to.
func TestIssue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	if _, err := Existing(dir); err == nil || !strings.Contains(err.Error(), "has no "+CACert) {
		t.Errorf("opened what is not there: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made")
	}
	first := at(t, dir, time.Now())
	d, err := first.Device("dev-0001")
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	a, err := Existing(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	before := tree(t, dir)
	soon := time.Now().Add(time.Minute).Truncate(time.Second)
	for _, tc := range []struct{ until, want time.Time }{
		{soon, soon}, {time.Time{}, time.Now().AddDate(0, 0, Days)}, {time.Now().AddDate(100, 0, 0), a.Until()},
	} {
		der, err := a.Issue("dev-0001", d.Pair.Leaf.PublicKey, tc.until)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, dir, c, x509.ExtKeyUsageClientAuth, time.Now())
		if c.Subject.CommonName != "dev-0001" || c.NotAfter.Sub(tc.want).Abs() > time.Minute {
			t.Errorf("%s until %v, want %v", c.Subject, c.NotAfter, tc.want)
		}
	}
	if _, err := a.Issue("a/b", d.Pair.Leaf.PublicKey, soon); err == nil {
		t.Error("a name that is none")
	}
	if tree(t, dir) != before {
		t.Error("a file was written")
	}
	if err := os.Remove(filepath.Join(dir, CAKey)); err != nil {
		t.Fatal(err)
	}
	if _, err := Existing(dir); err == nil || !strings.Contains(err.Error(), "has no "+CAKey) {
		t.Errorf("without a key: %v", err)
	}
}
