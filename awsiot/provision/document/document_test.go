package document

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/awsiot/provision"
)

// pair is a key as AWS makes it (PKCS #1) with its certificate: one for all tests, since RSA keys are slow.
var pair = sync.OnceValues(func() (cert, key string) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		panic(err)
	}
	return string(provision.EncodeCert(der)), string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
})

func text(t testing.TB, change map[string]any) string {
	t.Helper()
	cert, key := pair()
	all := map[string]any{"iot_endpoint": "xxx-ats.iot.us-east-2.amazonaws.com", "device_name": "dev-QAUE", "cert": cert, "root_ca": cert, "key": key,
		"device-type": "switch", "controlled-device": "dev-BULB"}
	for k, v := range change {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDocument(t *testing.T) {
	cert, key := pair()
	escaped := strings.ReplaceAll(cert, "\n", `\n`)
	for _, tt := range []struct{ name, text string }{
		{"as it is", text(t, nil)},
		{"other style", text(t, map[string]any{"iot_endpoint": nil, "iot-endpoint": "xxx-ats.iot.us-east-2.amazonaws.com", "device_name": nil, "Device-Name": "dev-QAUE",
			"device-type": nil, "device_type": "switch", "controlled-device": nil, "controlled_device": "dev-BULB"})},
		{"escaped twice", text(t, map[string]any{"cert": escaped, "root_ca": escaped, "key": strings.ReplaceAll(key, "\n", `\n`)})},
		{"with more in it", text(t, map[string]any{"x": map[string]any{"y": []int{1}}, "": nil})},
		{"byte order mark", "\xef\xbb\xbf" + text(t, nil)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Parse([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			f, err := d.Files()
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), d.Name)
			if err := provision.Write(dir, f); err != nil {
				t.Fatal(err)
			}
			got, err := provision.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if got.Thing != "dev-QAUE" || got.Endpoint != "mqtts://xxx-ats.iot.us-east-2.amazonaws.com:8883" ||
				strings.Join(strings.Fields(string(got.Configuration)), "") != `{"controlled-device":"dev-BULB","device-type":"switch"}` {
				t.Errorf("%+v %s", got.About, got.Configuration)
			}
			now, err := os.ReadFile(got.Key())
			if err != nil || !strings.HasPrefix(string(now), "-----BEGIN PRIVATE KEY-----\n") {
				t.Errorf("a form that not every program reads: %.40q %v", now, err)
			}
			if now, err := os.ReadFile(got.Cert()); err != nil || string(now) != cert {
				t.Errorf("%q %v", now, err)
			}
			yaml, err := os.ReadFile(filepath.Join(dir, provision.ConfigFile))
			if err != nil || !strings.Contains(string(yaml), "# device-type: switch\n# controlled-device: dev-BULB\n") {
				t.Errorf("%s %v", yaml, err)
			}
			if err := provision.Write(dir, f); !errors.Is(err, provision.ErrThere) {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

// What is wrong is said, and no secret is.
func TestBadDocuments(t *testing.T) {
	_, other, err := provision.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "no JSON object"},
		{"a list", "[]", "no JSON object"},
		{"cut", text(t, nil)[:300], "no JSON object"},
		{"two", text(t, nil) + text(t, nil), "one document"},
		{"no key", text(t, map[string]any{"key": nil}), "has no key"},
		{"key is null", text(t, map[string]any{"key": nil, "Key": nil}), "has no key"},
		{"key is an object", text(t, map[string]any{"key": map[string]string{"pem": "SECRET"}}), "key is no text"},
		{"twice", text(t, map[string]any{"device-name": "dev-OTHER"}), "device_name twice"},
		{"name", text(t, map[string]any{"device_name": "../../etc"}), "device_name"},
		{"type", text(t, map[string]any{"device-type": "toaster"}), "generic, bulb, switch, rogue"},
		{"controlled", text(t, map[string]any{"controlled-device": "a/#"}), "controlled-device"},
		{"clear text", text(t, map[string]any{"iot_endpoint": "mqtt://h"}), "not encrypted"},
		{"password", text(t, map[string]any{"iot_endpoint": "mqtts://me:SECRET@h"}), "iot_endpoint"},
		{"another key", text(t, map[string]any{"key": string(other)}), "does not belong"},
		{"no PEM", text(t, map[string]any{"key": "SECRET"}), "no private key"},
		{"CA", text(t, map[string]any{"root_ca": "SECRET"}), "holds no certificate"},
		{"large", strings.Repeat(" ", MaxSize+1), "at most"},
		{"deep", strings.Repeat(`{"a":`, 20000), "no JSON object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "x")
			d, err := Parse([]byte(tt.text))
			if err == nil {
				f, filesErr := d.Files()
				err = errors.Join(filesErr, provision.Write(dir, f))
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "BEGIN RSA") {
				t.Errorf("%v", err)
			}
			if left, _ := filepath.Glob(dir + "*"); len(left) > 0 {
				t.Errorf("%q is left", left)
			}
		})
	}
}

func TestFetch(t *testing.T) {
	want := text(t, nil)
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	clear := httptest.NewServer(mux)
	defer clear.Close()
	var referers []string
	redirect := func(to func(r *http.Request) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to(r), http.StatusFound) }
	}
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) {
		referers = append(referers, r.Referer())
		fmt.Fprint(w, want)
	})
	mux.HandleFunc("/denied", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "expired", http.StatusForbidden) })
	mux.HandleFunc("/missing", http.NotFound)
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, MaxSize+1)) })
	mux.HandleFunc("/once", redirect(func(*http.Request) string { return "/good?X-Signature=SECRET" }))
	mux.HandleFunc("/round", redirect(func(*http.Request) string { return "/round?X-Signature=SECRET" }))
	mux.HandleFunc("/down", redirect(func(*http.Request) string { return clear.URL + "/good?X-Signature=SECRET" }))
	for _, tt := range []struct{ address, want string }{
		{server.URL + "/good?X-Signature=SECRET", ""},
		{server.URL + "/once?X-Signature=SECRET", ""},
		{server.URL + "/round?X-Signature=SECRET", "redirected"},
		{server.URL + "/down?X-Signature=SECRET", "redirected"},
		{server.URL + "/denied?X-Signature=SECRET", "after an hour"},
		{server.URL + "/missing?X-Signature=SECRET", "404"},
		{server.URL + "/large?X-Signature=SECRET", "more than"},
		{clear.URL + "/good?X-Signature=SECRET", ""}, // on this machine
		{strings.Replace(clear.URL, "127.0.0.1", "localhost", 1) + "/good?X-Signature=SECRET", "not https"},
		{"http://192.0.2.1/good?X-Signature=SECRET", "not https"},
		{"https://127.0.0.1:1/?X-Signature=SECRET", "127.0.0.1:1"},
		{"ftp://h/SECRET", "not https"},
		{"https://\x7f/SECRET", "no URL"},
	} {
		got, err := Fetch(t.Context(), tt.address, server.Client())
		switch {
		case tt.want == "" && (err != nil || string(got) != want):
			t.Errorf("%s: %v", tt.address, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v", tt.address, err)
		case err != nil && strings.Contains(err.Error(), "SECRET"):
			t.Errorf("%v", err)
		}
	}
	for _, r := range referers {
		if r != "" {
			t.Errorf("the address is handed on: %q", r)
		}
	}
}

// A server that says nothing, or trickles, holds nothing up for longer than the caller's time.
func TestFetchEnds(t *testing.T) {
	came := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		close(came)
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-came
		cancel(errors.New("Ctrl-C"))
	}()
	if _, err := Fetch(ctx, server.URL+"/?SECRET", server.Client()); err == nil || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "Ctrl-C") {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(text(f, nil)))
	f.Add([]byte(`{"device-name":"a","device_name":"b"}`))
	f.Add([]byte(`{"iot_endpoint":"h","device_name":"a","cert":"c","key":"k"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x00\x1b\n") {
				t.Errorf("%q", err)
			}
			return
		}
		if provision.CheckName(d.Name) != nil || !strings.HasPrefix(d.Endpoint, "mqtts://") && !strings.HasPrefix(d.Endpoint, "wss://") {
			t.Errorf("accepted %q at %q", d.Name, d.Endpoint)
		}
		if _, err := d.Files(); err != nil {
			t.Error(err)
		}
	})
}
