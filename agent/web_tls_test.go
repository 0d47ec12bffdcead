package agent

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/agent/access"
	"pithings/agent/certificate"
	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/spool/control"
	"pithings/test/pki"
)

// A web server with a certificate of its own making: pictures have https addresses, which the screen of
// this process fetches, cookies are for TLS only, and people find the fingerprint where they look.
func TestOwnTLS(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, "http: {listen: \"127.0.0.1:0\", max_connections: 16, tls: {self_made: true}}\n"+fmt.Sprintf(fourThings, 0, ""))
	text, err := os.ReadFile(filepath.Join(l.folder, certificate.Folder, certificate.CertFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	ask := func(method, path, body string, headers ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, l.agent.WebURL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = "pi.example"; method == http.MethodGet {
			r.Host = ""
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	resp := ask("GET", "/healthz", "")
	seen := certificate.Fingerprint(resp.TLS.PeerCertificates[0])
	var health struct {
		Web WebHealth `json:"web"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil || health.Web.SHA256 != seen || !health.Web.SelfMade || health.Web.Until.Before(time.Now()) {
		t.Errorf("health: %+v, %v; the certificate is %s", health.Web, err, seen)
	}
	if resp.TLS.Version < tls.VersionTLS12 || resp.ProtoMajor != 1 {
		t.Errorf("%s over %s", resp.Proto, tls.VersionName(resp.TLS.Version))
	}
	if !strings.Contains(l.log.String(), seen) {
		t.Error("the fingerprint is not logged at the start")
	}
	c := control.NewClient(l.agent.folder.Socket())
	defer c.Close()
	if a, err := c.Describe(t.Context()); err != nil || !a.HTTPS || "https://"+a.Web != l.agent.WebURL() {
		t.Errorf("%+v, %v", a, err)
	}
	// From a capture to the screen.
	l.publish("TG_Camera/capture", `{}`)
	picture := l.message("TG_Camera/capture/finished")
	if !strings.Contains(picture, `"`+l.agent.WebURL()+`/pictures/`) {
		t.Errorf("announced as %s", picture)
	}
	l.publish("TG_Screen/display", strings.Replace(picture, "lastClickedImage", "imageUri", 1))
	l.until("the picture on the screen", func() bool {
		img, err := png.Decode(ask("GET", "/screen/TG_Screen.png", "").Body)
		if err != nil {
			t.Fatal(err)
		}
		return !black(img)
	})
	// A session.
	hash, err := access.Hash(testPassword)
	if err == nil {
		err = l.agent.web.door.SetPassword(hash)
	}
	if err != nil {
		t.Fatal(err)
	}
	const login = `{"password": "` + testPassword + `"}`
	if got := ask("POST", "/api/v1/login", login, "Origin", "https://pi.example"); got.StatusCode != http.StatusOK || len(got.Cookies()) != 1 || !got.Cookies()[0].Secure {
		t.Errorf("login: %d, cookies %v", got.StatusCode, got.Cookies())
	}
	if got := ask("POST", "/api/v1/login", login, "Origin", "http://pi.example"); got.StatusCode != http.StatusForbidden {
		t.Errorf("login by a page without TLS: %d", got.StatusCode)
	}
	// Who speaks no TLS, or an old one.
	raw, err := net.Dial("tcp", l.agent.WebAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := io.WriteString(raw, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	plain, err := http.ReadResponse(bufio.NewReader(raw), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Body.Close()
	if said, _ := io.ReadAll(plain.Body); plain.StatusCode != http.StatusBadRequest || !strings.Contains(string(said), "HTTPS") {
		t.Errorf("without TLS: %d %s", plain.StatusCode, said)
	}
	old, err := tls.Dial("tcp", l.agent.WebAddr(), &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		old.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// The limit of connections counts those that are encrypted, and knows which are of known clients.
func TestTLSConnectionsCount(t *testing.T) {
	l := newLab(t, mock.Options{}, "http: {listen: \"127.0.0.1:0\", max_connections: 4, tls: {self_made: true}}\n"+twoThings)
	hash, err := access.Hash(testPassword)
	if err == nil {
		err = l.agent.web.door.SetPassword(hash)
	}
	if err != nil {
		t.Fatal(err)
	}
	token, err := l.agent.web.door.AddToken("x", access.Look, nil)
	if err != nil {
		t.Fatal(err)
	}
	dial := func() *tls.Conn {
		t.Helper()
		c, err := tls.Dial("tcp", l.agent.WebAddr(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	ask := func(c net.Conn) error {
		if _, err := fmt.Fprintf(c, "GET /api/v1/things HTTP/1.1\r\nHost: pi.example\r\nAuthorization: Bearer %s\r\n\r\n", token); err != nil {
			return err
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		return err
	}
	known := dial()
	if err := ask(known); err != nil {
		t.Fatal(err)
	}
	others := []net.Conn{}
	for range 12 {
		c, err := net.Dial("tcp", l.agent.WebAddr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		others = append(others, c)
	}
	if err := ask(known); err != nil {
		t.Errorf("a known client is dropped for others: %v", err)
	}
	// The first of those that send nothing have made room for the later ones.
	if err := others[0].SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := others[0].Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("more connections than the limit: %v", err)
	}
}

// Another certificate in the files is seen by the next client, a wrong one stops a reload, and whether
// there is TLS at all is for the next start.
func TestTLSFiles(t *testing.T) {
	ca := pki.New(t)
	ca.Server("127.0.0.1", time.Now().Add(time.Hour))
	text := fmt.Sprintf("http: {listen: \"127.0.0.1:0\", tls: {cert: %q, key: %q}}\n", ca.File("server.pem"), ca.File("server.key")) + twoThings
	l := newLab(t, mock.Options{}, text)
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(ca.File("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots.AppendCertsFromPEM(pem)
	serial := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", l.agent.WebAddr(), &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	reload := func(text string) (Reloaded, error) {
		next, _, err := config.Parse("test", []byte("broker: {listen: \"127.0.0.1:0\"}\n"+text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return l.agent.turn(t.Context(), func() (Reloaded, error) { return l.agent.replace(next) })
	}
	first := serial()
	ca.Server("127.0.0.1", time.Now().Add(time.Hour))
	at := time.Now().Add(time.Minute) // file systems have coarse times
	if err := os.Chtimes(ca.File("server.pem"), at, at); err != nil {
		t.Fatal(err)
	}
	second := serial()
	if second == first {
		t.Error("the next client sees the certificate before")
	}
	good, err := os.ReadFile(ca.File("server.key"))
	if err == nil {
		err = os.WriteFile(ca.File("server.key"), []byte("no key"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reload(text); err == nil || !strings.Contains(err.Error(), "http.tls: ") || serial() != second {
		t.Errorf("a reload with a wrong key: %v", err)
	}
	if err := os.WriteFile(ca.File("server.key"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	did, err := reload("http: {listen: \"127.0.0.1:0\", tls: {self_made: true}}\n" + twoThings)
	if err != nil || len(did.Restart) == 0 || serial() != second {
		t.Errorf("a reload without the files: %+v, %v", did, err)
	}
}
