package fleet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"
)

var now = time.Unix(1600000000, 0)

func authority(t testing.TB) *Authority {
	t.Helper()
	cert, key, err := NewAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ReadAuthority(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func csr(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "another-device"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(encodePEM("CERTIFICATE REQUEST", der))
}

func must[K any](key K, err error) K {
	if err != nil {
		panic(err)
	}
	return key
}

// A certificate is for the key of its request, and does not bear the name that the request has.
func TestCreateFromCSR(t *testing.T) {
	a := authority(t)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	for name, row := range map[string]struct {
		key  crypto.Signer
		good bool
	}{
		"P-256":    {must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), true},
		"P-224":    {must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)), false},
		"RSA 2048": {must(rsa.GenerateKey(rand.Reader, 2048)), true},
		"RSA 1024": {must(rsa.GenerateKey(rand.Reader, 1024)), false},
		"Ed25519":  {edKey, true},
	} {
		i, c, err := a.CreateFromCSR(csr(t, row.key), now)
		if !row.good {
			var refused *Error
			if !errors.As(err, &refused) || refused.Code != InvalidCSR {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		block, _ := pem.Decode([]byte(i.PEM))
		cert := must(x509.ParseCertificate(block.Bytes))
		if !row.key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(cert.PublicKey) || cert.Subject.CommonName == "another-device" || i.Key != "" || c.ID != i.ID {
			t.Errorf("%s: %+v of %s", name, cert.Subject, i.PEM)
		}
	}
	// Signed with another key than that which it names.
	good, _ := pem.Decode([]byte(csr(t, edKey)))
	good.Bytes[len(good.Bytes)-1] ^= 1
	if _, _, err := a.CreateFromCSR(string(pem.EncodeToMemory(good)), now); err == nil {
		t.Error("a request with a wrong signature is signed")
	}
}

func TestRegister(t *testing.T) {
	tpl := &Template{Name: "fleet", Parameters: []string{"A", "B"}, ThingName: "{A}:{B}", Allow: map[string][]string{"B": {"x", "{A}"}}}
	if err := tpl.Check(); err != nil {
		t.Fatal(err)
	}
	fresh := &Certificate{ID: "1", Expires: now.Add(Valid).Unix()}
	for name, row := range map[string]struct {
		parameters map[string]string
		thing      string
		code       string
	}{
		"good":                         {map[string]string{"A": "1", "B": "x"}, "1:x", ""},
		"further ones":                 {map[string]string{"A": "1", "B": "x", "C": "y"}, "1:x", ""},
		"missing":                      {map[string]string{"B": "x"}, "", InvalidParameter},
		"empty":                        {map[string]string{"A": "", "B": "x"}, "", InvalidParameter},
		"not allowed":                  {map[string]string{"A": "1", "B": "z"}, "", AccessDenied},
		"a topic":                      {map[string]string{"A": "a/+", "B": "x"}, "", InvalidParameter},
		"too long a name":              {map[string]string{"A": strings.Repeat("a", 128), "B": "x"}, "", InvalidParameter},
		"a placeholder is not filled":  {map[string]string{"A": "1", "B": "{A}"}, "", InvalidParameter},
		"a parameter of 1,025 letters": {map[string]string{"A": strings.Repeat("a", 1025), "B": "x"}, "", InvalidParameter},
	} {
		c, err := Register(fresh, tpl, row.parameters, now)
		if (err == nil) != (row.code == "") || err != nil && err.Code != row.code || err == nil && c.Thing != row.thing {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		if fresh.Thing != "" {
			t.Fatalf("%s: the stored certificate has changed", name)
		}
	}
}

func TestReadAuthority(t *testing.T) {
	cert, key, err := NewAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	_, other, _ := NewAuthority(now)
	a, err := ReadAuthority(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	device, _, err := a.CreateKeys(now)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string][2]string{
		"another's key":        {string(cert), string(other)},
		"no certificate":       {"", string(key)},
		"no key":               {string(cert), ""},
		"a device's":           {device.PEM, device.Key},
		"exchanged":            {string(key), string(cert)},
		"a key that is no key": {string(cert), string(encodePEM("PRIVATE KEY", []byte("x")))},
	} {
		if _, err := ReadAuthority([]byte(row[0]), []byte(row[1])); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzCreateFromCSR(f *testing.F) {
	a := authority(f)
	f.Add(csr(f, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))))
	f.Fuzz(func(t *testing.T, text string) {
		i, _, err := a.CreateFromCSR(text, now)
		if err != nil {
			return
		}
		block, _ := pem.Decode([]byte(i.PEM))
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Fatal(err)
		}
	})
}
