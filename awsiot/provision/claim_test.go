package provision

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned makes a certificate for a key.
func selfSigned(t testing.TB, key crypto.Signer) string {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(5), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(EncodeCert(der))
}

// A trusted user's claim is taken as the API and as the command line write it, and nothing of it is
// left when it has served.
func TestTrustedUsersClaim(t *testing.T) {
	key, text, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSigned(t, key)
	soon := time.Now().Add(5 * time.Minute)
	for _, until := range []string{fmt.Sprint(soon.Unix()), fmt.Sprintf("%d.25", soon.Unix()), fmt.Sprintf("%q", soon.Format(time.RFC3339)), fmt.Sprintf("%q", soon.Format("2006-01-02T15:04:05.000000-07:00"))} {
		c, state := newCloud(t), t.TempDir()
		p, err := Begin(state)
		if err != nil {
			t.Fatal(err)
		}
		doc := fmt.Sprintf(`{"certificateId":"x","certificatePem":%q,"keyPair":{"PublicKey":"","PrivateKey":%q},"expiration":%s}`, cert, text, until)
		certFile, keyFile, err := p.TakeClaim([]byte(doc))
		if err != nil {
			t.Fatalf("%s: %v", until, err)
		}
		if err := CheckMode(keyFile); err != nil {
			t.Error(err)
		}
		r := request1([]string{certFile, keyFile}, false)
		d, err := p.Run(t.Context(), r, c.dial())
		p.End()
		if err != nil {
			t.Fatal(err)
		}
		whole(t, state, d, []string{filepath.Join(state, Folder, claimKey), filepath.Join(state, Folder, claimCert)})
	}
}

func TestBadClaims(t *testing.T) {
	key, text, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSigned(t, key)
	doc := func(key []byte, until int64) string {
		return fmt.Sprintf(`{"certificatePem":%q,"keyPair":{"PrivateKey":%q},"expiration":%d}`, cert, key, until)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"no JSON", "An error occurred (AccessDenied)", "create-provisioning-claim"},
		{"half", `{"certificatePem":"x"}`, "no keyPair.PrivateKey"},
		{"over", doc(text, time.Now().Add(-time.Second).Unix()), "five minutes"},
		{"other key", doc(other, time.Now().Add(time.Hour).Unix()), "does not belong"},
		{"year 300000", doc(text, 1<<53), "create-provisioning-claim"},
		{"large", strings.Repeat(" ", MaxClaim+1), "at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Begin(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer p.End()
			_, _, err = p.TakeClaim([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "PRIVATE KEY") {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(p.path(claimKey)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the key is kept: %v", err)
			}
		})
	}
}

// Whatever comes from the network or stands in a file, reading it ends, and what is accepted is as
// the program needs it.
func FuzzReplies(f *testing.F) {
	key, text, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	cert := selfSigned(f, key)
	for _, seed := range []string{
		`{}`, `null`, `{"statusCode":403,"errorCode":"AccessDenied","errorMessage":"no"}`,
		fmt.Sprintf(`{"certificateId":"1","certificatePem":%q,"privateKey":%q,"certificateOwnershipToken":"t"}`, cert, text),
		`{"thingName":"a","deviceConfiguration":{"b":"c"}}`, `{"thingName":"../a"}`,
		fmt.Sprintf(`{"certificatePem":%q,"keyPair":{"PrivateKey":%q},"expiration":1e9}`, cert, text),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := readCreated(b, key.Public()); err == nil {
			if got, err := ParseCert([]byte(c.PEM)); err != nil || !same(key.Public(), got.PublicKey) || c.Token == "" {
				t.Errorf("accepted %+v", c)
			}
		}
		if c, err := readCreated(b, nil); err == nil {
			if _, err := ParseKey([]byte(c.Key)); err != nil {
				t.Error(err)
			}
		}
		if r, err := readRegistered(b); err == nil && (CheckName(r.Thing) != nil || strings.ContainsAny(r.Thing, "/#+\x00\n")) {
			t.Errorf("accepted %q", r.Thing)
		}
		if line := readRejected("x", "t", b, "secret").Error(); strings.ContainsAny(line, "\n\x1b") || len(line) > 2000 {
			t.Errorf("%q", line)
		}
		if _, err := readClaim(b); err != nil && strings.Contains(err.Error(), "PRIVATE") {
			t.Error(err)
		}
	})
}

// A folder that others have filled is read within bounds.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte(`{"thing":"a","deviceConfiguration":{}}`), []byte(`{"template":"t","claim":["/x"]}`))
	f.Fuzz(func(t *testing.T, about, journal []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{AboutFile: about, journalFile: journal} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if d, err := Read(dir); err == nil {
			t.Errorf("without any key it is %+v", d)
		}
		if _, err := readJournal(dir); err != nil && len(journal) <= maxJournal {
			t.Error(err)
		}
	})
}
