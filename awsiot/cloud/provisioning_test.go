package cloud_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/awsiot/cloud"
	"pithings/awsiot/cloud/cloudtest"
)

// issued is what a device gets.
type issued struct {
	ID    string `json:"certificateId"`
	PEM   string `json:"certificatePem"`
	Key   string `json:"privateKey"`
	Token string `json:"certificateOwnershipToken"`
}

func (r *running) create() (i issued) {
	r.t.Helper()
	r.publish("$aws/certificates/create/json", ``)
	if topic, payload := r.next(); topic != "$aws/certificates/create/json/accepted" || json.Unmarshal([]byte(payload), &i) != nil {
		r.t.Fatalf("%s %s", topic, payload)
	}
	return i
}

// The certificates are signed by the authority in the state folder, which stays the same, for
// clients only; the journal has neither keys nor tokens.
func TestCertificates(t *testing.T) {
	o := cloudtest.Options()
	o.Dir = t.TempDir()
	for range 2 {
		r := serve(t, o)
		i := r.create()
		r.stop()
		ca, err := os.ReadFile(filepath.Join(o.Dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		block, _ := pem.Decode([]byte(i.PEM))
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Error(err)
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
			t.Error("a device's certificate can be a server's")
		}
		journal, err := os.ReadFile(filepath.Join(o.Dir, "journal"))
		if err != nil || strings.Contains(string(journal), i.Token) || strings.Contains(string(journal), "PRIVATE") || !strings.Contains(string(journal), i.ID) {
			t.Errorf("journal: %v, %s", err, journal)
		}
	}
	for _, name := range []string{"ca.key", "journal"} {
		if st, err := os.Stat(filepath.Join(o.Dir, name)); err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

// A token serves for an hour; then its certificate is forgotten. One that is registered is kept.
func TestTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, cloudtest.Options())
		register := func(i issued, number string) string {
			r.publish("$aws/provisioning-templates/fleet/provision/json", fmt.Sprintf(`{"certificateOwnershipToken":%q,"parameters":{"SerialNumber":%q}}`, i.Token, number))
			topic, payload := r.next()
			return strings.TrimPrefix(topic, "$aws/provisioning-templates/fleet/provision/json/") + " " + payload
		}
		first, second := r.create(), r.create()
		time.Sleep(time.Hour - time.Second)
		if got := register(first, "1"); got != `accepted {"deviceConfiguration":{"interval":"60"},"thingName":"pi-1"}` {
			t.Error(got)
		}
		time.Sleep(2 * time.Second)
		for _, i := range []issued{first, second} {
			if got := register(i, "1"); !strings.HasPrefix(got, `rejected {"errorCode":"InvalidCertificateOwnershipToken"`) {
				t.Error(got)
			}
		}
	})
}

// Unless it is allowed, no key leaves the cloud, as other brokers than AWS's show it to all.
func TestNoKeys(t *testing.T) {
	o := cloudtest.Options()
	o.CreateKeys = false
	r := serve(t, o)
	r.publish("$aws/certificates/create/json", `{}`)
	if topic, payload := r.next(); topic != "$aws/certificates/create/json/rejected" || !strings.Contains(payload, "create-from-csr") {
		t.Errorf("%s %s", topic, payload)
	}
}

func TestBadTemplates(t *testing.T) {
	good := cloudtest.Options().Templates[0]
	for name, change := range map[string]func(*cloud.Template){
		"no name":                    func(o *cloud.Template) { o.Name = "" },
		"name with a slash":          func(o *cloud.Template) { o.Name = "a/b" },
		"one thing for all":          func(o *cloud.Template) { o.ThingName = "pi" },
		"unknown parameter":          func(o *cloud.Template) { o.ThingName = "{Serial}" },
		"thing name with a space":    func(o *cloud.Template) { o.ThingName = "my {SerialNumber}" },
		"parameter without an end":   func(o *cloud.Template) { o.ThingName = "{SerialNumber}{" },
		"more than fifty parameters": func(o *cloud.Template) { o.Parameters = append(o.Parameters, make([]string, 50)...) },
	} {
		bad := good
		change(&bad)
		if c, err := cloud.New(cloud.Options{Templates: []cloud.Template{bad}}); err == nil {
			c.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}
