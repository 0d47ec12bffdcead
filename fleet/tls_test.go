package fleet

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/awsiot/provision/authority"
	"pithings/mqttlink"
)

// identitiesFor is the folder of an authority with n devices.
func identitiesFor(t *testing.T, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pki")
	a, err := authority.Open(dir, authority.Options{Hosts: []string{"127.0.0.1"}, Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Server(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fleet(t.Context(), n, func(int) {}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// handshake is one that a device has made.
type handshake struct {
	name     string // in its certificate
	clientID string
	resumed  bool
}

// hangUp is a broker that accepts each device and closes its connection at once, so that it comes
// back.
func hangUp(t *testing.T, dir string) (addr string, handshakes func() []handshake) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, authority.ServerCert), filepath.Join(dir, authority.ServerKey))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, authority.CACert))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	var all []handshake
	serve := func(c net.Conn) {
		defer c.Close()
		b := make([]byte, 512)
		n, err := io.ReadAtLeast(c, b, 20)
		if err != nil {
			return
		}
		state := c.(*tls.Conn).ConnectionState()
		mu.Lock()
		all = append(all, handshake{state.PeerCertificates[0].Subject.CommonName, string(b[14 : 14+min(int(b[13]), n-14)]), state.DidResume})
		mu.Unlock()
		c.Write([]byte("\x20\x02\x00\x00\x90\x03\x00\x01\x00"))
		io.ReadAtLeast(c, b, 1)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String(), func() []handshake {
		mu.Lock()
		defer mu.Unlock()
		return append([]handshake(nil), all...)
	}
}

// Each device shows its own certificate, also when it resumes a session.
func TestIdentities(t *testing.T) {
	const n = 3
	dir := identitiesFor(t, n)
	addr, handshakes := hangUp(t, dir)
	o := small("mqtts://"+addr, "telemetry")
	o.Devices, o.Identities = n, dir
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	background(t, f.Run)
	resumed := map[string]bool{}
	for deadline := time.Now().Add(30 * time.Second); len(resumed) < n; time.Sleep(10 * time.Millisecond) {
		for _, h := range handshakes() {
			if h.name != h.clientID || !strings.HasPrefix(h.name, "dev-000") {
				t.Fatalf("the certificate of %s connects as %s", h.name, h.clientID)
			}
			if h.resumed {
				resumed[h.name] = true
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("resumed: %v; %+v", resumed, f.Report())
		}
	}
	if r := f.Report(); r.Resumed < n {
		t.Errorf("%d resumed", r.Resumed)
	}
}

// One certificate for all is one that all sessions may be resumed with.
func TestOneCertificateForAll(t *testing.T) {
	dir := identitiesFor(t, 1)
	addr, handshakes := hangUp(t, dir)
	device := filepath.Join(dir, authority.Devices, "dev-0001")
	o := small("mqtts://"+addr, "telemetry")
	o.Devices, o.Ramp = 5, 50
	o.Broker = mqttlink.Options{Endpoint: "mqtts://" + addr, CA: filepath.Join(dir, authority.CACert), Cert: filepath.Join(device, "device.crt"), Key: filepath.Join(device, "device.key")}
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	background(t, f.Run)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		ids, resumed := map[string]bool{}, 0
		for _, h := range handshakes() {
			ids[h.clientID] = true
			if h.resumed {
				resumed++
			}
		}
		if len(ids) == 5 && resumed > 3 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v, %d resumed", ids, resumed)
		}
	}
}

func TestIdentitiesAreChecked(t *testing.T) {
	dir := identitiesFor(t, 2)
	for _, tc := range []struct {
		endpoint string
		dir      string
		devices  int
		says     string
	}{
		{"mqtts://127.0.0.1", dir, 3, "has 2"},
		{"mqtts://127.0.0.1", filepath.Join(dir, authority.Devices), 2, ""},
		{"mqtts://127.0.0.1", filepath.Join(dir, "none"), 1, "no such file"},
		{"mqtt://127.0.0.1", dir, 1, "write mqtts://"},
	} {
		o := small(tc.endpoint)
		o.Devices, o.Identities = tc.devices, tc.dir
		f, err := New(t.Context(), o)
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s, %d devices of %s: %v, want %q", tc.endpoint, tc.devices, tc.dir, err, tc.says)
		}
		if err == nil && f.name(1) != "dev-0002" {
			t.Errorf("the second is %s", f.name(1))
		}
	}
	if url, err := IdentityEndpoint(dir); err != nil || url != "mqtts://127.0.0.1:8883" {
		t.Errorf("%s, %v", url, err)
	}
}

// AWS IoT Core takes certificates on port 443 under a protocol name of its own.
func TestIdentitiesOnPort443(t *testing.T) {
	dir := identitiesFor(t, 1)
	for _, tc := range []struct {
		endpoint    string
		given, want []string
	}{
		{"mqtts://127.0.0.1:443", nil, []string{"x-amzn-mqtt-ca"}},
		{"mqtts://127.0.0.1:443", []string{"mine"}, []string{"mine"}},
		{"mqtts://127.0.0.1", nil, nil},
	} {
		o := small(tc.endpoint)
		o.Identities, o.Broker.ALPN = dir, tc.given
		p, err := o.check()
		if err != nil {
			t.Fatal(err)
		}
		all, err := p.readTLS()
		if err != nil {
			t.Fatal(err)
		}
		if got := all.of(0).NextProtos; !slices.Equal(got, tc.want) {
			t.Errorf("%s, %q given: %q, want %q", tc.endpoint, tc.given, got, tc.want)
		}
	}
}
