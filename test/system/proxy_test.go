//go:build system

package system

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
	"pithings/test/pki"
)

// nginxFile is what users copy.
const nginxFile = "../../deploy/nginx/pithings.conf"

// ingress is the path that Home Assistant gives a device's page, and ingressConf what its ingress does:
// Home Assistant adds the path, the client's address, the host and the scheme, and the Supervisor adds the
// address of Home Assistant (home-assistant/core homeassistant/components/hassio/ingress.py and
// home-assistant/supervisor supervisor/api/ingress.py, _init_header).
const (
	ingress     = "/api/hassio_ingress/J8dT0pWq3oU"
	ingressConf = `location ` + ingress + `/ {
	proxy_pass http://127.0.0.1:%d/;
	proxy_http_version 1.1;
	proxy_set_header Host $http_host;
	proxy_set_header X-Ingress-Path ` + ingress + `;
	proxy_set_header X-Forwarded-For "$proxy_add_x_forwarded_for, 172.30.32.1";
	proxy_set_header X-Forwarded-Host $http_host;
	proxy_set_header X-Forwarded-Proto $scheme;
	proxy_buffering off;
}
`
)

// visitor is a client at one of the loopback addresses of this machine.
type visitor struct {
	t    *testing.T
	http *http.Client
}

func newVisitor(t *testing.T, address string, roots *x509.CertPool) *visitor {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c := &http.Client{Transport: &http.Transport{DialContext: d.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(c.CloseIdleConnections)
	return &visitor{t, c}
}

func (v *visitor) ask(method, url, body string, headers ...string) *http.Response {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// logs in, and returns the headers that the session sends, and its cookie.
func (v *visitor) login(site, base string) (headers []string, cookie *http.Cookie) {
	v.t.Helper()
	resp := v.ask("POST", site+base+"/api/v1/login", `{"password": "`+proxyPassword+`"}`, "Origin", site)
	var is struct{ CSRF string }
	if err := json.NewDecoder(resp.Body).Decode(&is); err != nil || resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 {
		v.t.Fatalf("login at %s%s: %s, %v", site, base, resp.Status, err)
	}
	cookie = resp.Cookies()[0]
	return []string{"Origin", site, "Cookie", cookie.Name + "=" + cookie.Value, "X-CSRF-Token", is.CSRF}, cookie
}

const proxyPassword = "correct horse battery"

// pithings runs a command with a text as its standard input, and returns what it prints.
func pithings(t *testing.T, input string, args ...string) string {
	t.Helper()
	c := exec.Command(binary.Path, args...)
	c.Env, c.Stdin, c.Stderr = environment(t), strings.NewReader(input), os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("pithings %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// Debian's nginx with the configuration of deploy/nginx, and one that does as Home Assistant's ingress,
// before an agent: logins, the paths of cookies and redirects, the client's address, and streams.
func TestProxies(t *testing.T) {
	nginx := binary.Need(t, "nginx")
	dir, web, plain, secure := t.TempDir(), freePort(t), freePort(t), freePort(t)
	state := filepath.Join(dir, "state")
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	look := pithings(t, "", "token", "add", "look", "--role", "look", "--state", state)
	near := pithings(t, "", "token", "add", "near", "--role", "look", "--from", "127.0.0.7/32", "--state", state)
	hash := pithings(t, proxyPassword+"\n", "passwd", "--hash", "--stdin")
	start(t, binary.Path, "run", "--mock", "--state", state, write("pithings.yaml", fmt.Sprintf(`broker: {listen: "127.0.0.1:%d"}
http: {listen: "127.0.0.1:%d", password_hash: '%s', trusted_proxies: [127.0.0.1/32, 172.30.32.1/32], base_path: /pithings, playground: true}
things: [{name: eye, type: camera, device: mock}, {name: bme680, type: environment, bus: mock, interval: 1s}]
`, freePort(t), web, hash)))
	awaitListener(t, web)

	ours, err := os.ReadFile(nginxFile)
	if err != nil {
		t.Fatal(err)
	}
	ca := pki.New(t)
	ca.Server("127.0.0.1", time.Now().Add(time.Hour))
	pem, err := os.ReadFile(ca.File("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	site := strings.ReplaceAll(string(ours), "127.0.0.1:8080", fmt.Sprintf("127.0.0.1:%d", web)) + fmt.Sprintf(ingressConf, web)
	conf := write("nginx.conf", fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server { listen 127.0.0.1:%[2]d; %[3]s }
	server { listen 127.0.0.1:%[4]d ssl; ssl_certificate %[5]s; ssl_certificate_key %[6]s; %[3]s }
}
`, dir, plain, site, secure, ca.File("server.pem"), ca.File("server.key")))
	start(t, nginx, "-e", "stderr", "-c", conf)
	awaitListener(t, plain)
	awaitListener(t, secure)

	http1, https := fmt.Sprintf("http://127.0.0.1:%d", plain), fmt.Sprintf("https://127.0.0.1:%d", secure)
	owner := newVisitor(t, "127.0.0.2", roots)
	for _, at := range []struct {
		site, base string
		secure     bool
	}{{http1, "/pithings", false}, {https, "/pithings", true}, {http1, ingress, false}, {https, ingress, true}} {
		things := at.site + at.base + "/api/v1/things"
		if got := owner.ask("GET", things, ""); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a login: %s", things, got.Status)
		}
		session, cookie := owner.login(at.site, at.base)
		if cookie.Path != at.base || cookie.Secure != at.secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
			t.Errorf("%s%s: cookie %v", at.site, at.base, cookie)
		}
		if got := owner.ask("GET", things, "", session...); got.StatusCode != http.StatusOK {
			t.Errorf("%s with a session: %s", things, got.Status)
		}
		change := at.site + at.base + "/playground/actions"
		if got := owner.ask("POST", change, "", session...); got.StatusCode != http.StatusOK {
			t.Errorf("%s with a session: %s", change, got.Status)
		}
		if got := owner.ask("POST", change, "", append(session, "Origin", "http://evil.example")...); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s by a page of another site: %s", change, got.Status)
		}
		if got := owner.ask("GET", at.site+at.base+"/pictures", "").Header.Get("Location"); !strings.HasSuffix(got, at.base+"/pictures/") {
			t.Errorf("%s%s/pictures leads to %q", at.site, at.base, got)
		}
		page := owner.ask("GET", at.site+at.base+"/playground/", "", append(session, "Accept", "text/html")...)
		if text, err := io.ReadAll(page.Body); err != nil || !strings.Contains(string(text), `action="`+at.base+`/playground/config"`) {
			t.Errorf("%s%s: the page has no forms for its path: %v\n%s", at.site, at.base, err, text)
		}
	}
	// Streams are passed on as they come.
	for _, base := range []string{"/pithings", ingress} {
		mjpeg := owner.ask("GET", http1+base+"/api/v1/things/eye/stream.mjpeg?token="+look, "")
		parts := multipart.NewReader(mjpeg.Body, "frame")
		for range 2 {
			part, err := parts.NextRawPart()
			if err != nil {
				t.Fatalf("%s: a stream of pictures: %s, %v", base, mjpeg.Status, err)
			}
			if _, err := io.Copy(io.Discard, part); err != nil {
				t.Fatal(err)
			}
		}
		mjpeg.Body.Close()
		events := owner.ask("GET", http1+base+"/api/v1/events", "", "Authorization", "Bearer "+look)
		lines := bufio.NewScanner(events.Body)
		for n := 0; n < 2; { // readings come each second
			if !lines.Scan() {
				t.Fatalf("%s: a stream of events: %s, %v", base, events.Status, lines.Err())
			}
			if strings.HasPrefix(lines.Text(), "data:") {
				n++
			}
		}
		events.Body.Close()
	}
	// The client's address is the one that nginx sees, whatever the client has written.
	direct := fmt.Sprintf("http://127.0.0.1:%d", web)
	for _, tc := range []struct {
		from, site, forged string
		want               int
	}{
		{"127.0.0.7", http1 + "/pithings", "", 200},
		{"127.0.0.7", http1 + ingress, "", 200},
		{"127.0.0.7", http1 + "/pithings", "203.0.113.9", 200},
		{"127.0.0.8", http1 + "/pithings", "", 401},
		{"127.0.0.8", http1 + "/pithings", "127.0.0.7", 401},
		{"127.0.0.8", http1 + ingress, "127.0.0.7", 401},
		{"127.0.0.8", http1 + "/pithings", "127.0.0.7, 127.0.0.1", 401},
		{"127.0.0.8", direct, "127.0.0.7", 401}, // no trusted proxy
		{"127.0.0.7", direct, "", 200},
	} {
		headers := []string{"Authorization", "Bearer " + near}
		if tc.forged != "" {
			headers = append(headers, "X-Forwarded-For", tc.forged)
		}
		// There is no such queue: 404 is for those who may look.
		resp := newVisitor(t, tc.from, roots).ask("GET", tc.site+"/api/v1/queues/x", "", headers...)
		if got := resp.StatusCode; got != tc.want && !(tc.want == 200 && got == http.StatusNotFound) {
			t.Errorf("from %s by %s, forged %q: %d, want %d", tc.from, tc.site, tc.forged, got, tc.want)
		}
	}
	// So are the attempts of a client that guesses, and it cannot give them to another one.
	guess := func(from, forged string) int {
		return newVisitor(t, from, roots).ask("POST", http1+"/pithings/api/v1/login", `{"password": "wrong password"}`, "X-Forwarded-For", forged).StatusCode
	}
	limited := false
	for i := range 8 {
		limited = limited || guess("127.0.0.5", fmt.Sprintf("203.0.113.%d", i)) == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("a client that writes other addresses may guess on and on")
	}
	if got := guess("127.0.0.6", "127.0.0.5"); got != http.StatusUnauthorized {
		t.Errorf("another client is held up: %d", got)
	}
}
