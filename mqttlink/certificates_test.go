package mqttlink

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// authority issues certificates for a test, in files of a temporary folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its own certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.file = a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// issue makes a certificate for a host name or address, valid between the given
// times from now, and returns its files.
func (a *authority) issue(name, host string, from, to time.Duration) (cert, key string) {
	a.t.Helper()
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		tmpl.IPAddresses = []net.IP{ip}
	} else if host != "" {
		tmpl.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &k.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".pem", "CERTIFICATE", der), a.write(name+".key", "PRIVATE KEY", pkcs8)
}

const year = 365 * 24 * time.Hour

// server returns a broker's TLS settings.
func (a *authority) server(host string, from, to time.Duration, clients tls.ClientAuthType) *tls.Config {
	a.t.Helper()
	cert, key := a.issue("server", host, from, to)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: clients, ClientCAs: pool}
}

func TestMutualTLS(t *testing.T) {
	ca := newAuthority(t, "test authority")
	for _, max := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := ca.server("127.0.0.1", -time.Hour, year, tls.RequireAndVerifyClientCert)
		c.MaxVersion = max
		s := &script{}
		addr := s.listen(t, c)
		cert, key := ca.issue("TG_MS", "", -time.Hour, year)
		for _, authorities := range []string{ca.file, ca.dir} { // a file or a folder
			o := options(addr)
			o.Endpoint = "mqtts://" + addr
			o.CA, o.Cert, o.Key = authorities, cert, key
			l := run(t, o)
			publish(t, l, 1, "x")
			flush(t, l)
		}
	}
}

// Every failure that users report, each explained in one line.
func TestConnectionFailures(t *testing.T) {
	ca, other := newAuthority(t, "right"), newAuthority(t, "wrong")
	cert, key := ca.issue("client", "", -time.Hour, year)
	expired, expiredKey := ca.issue("expired", "", -2*time.Hour, -time.Hour)
	foreign, foreignKey := other.issue("foreign", "", -time.Hour, year)
	closed := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}()
	mutual := tls.RequireAndVerifyClientCert
	// old is a broker of that version at most, whose only cipher wants an RSA key.
	old := func(version uint16) *tls.Config {
		c := ca.server("127.0.0.1", -time.Hour, year, tls.NoClientCert)
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, version
		c.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		return c
	}
	for _, tt := range []struct {
		name   string
		s      *script
		tls    *tls.Config
		scheme string
		change func(*Options)
		kind   Kind
		words  []string
	}{
		{"no listener", nil, nil, "mqtt", nil, Refused, []string{"connection refused", "start it"}},
		// Koenkk/zigbee2mqtt#3068: the other scheme is offered where it may be meant.
		{"no listener with TLS", nil, nil, "mqtts", nil, Refused, []string{"connection refused", "if the broker does not encrypt, write mqtt://127.0.0.1:"}},
		{"no such host", &script{}, nil, "mqtt", func(o *Options) { o.Endpoint = "mqtt://host.invalid" }, NoSuchHost, []string{"host.invalid"}},
		{"accepts and never answers", &script{silent: true}, nil, "mqtt", nil, Timeout, []string{"gave no answer within 200ms", "CONNECT", "if this port is encrypted, write mqtts://127.0.0.1:"}},
		{"accepts and never shakes hands", &script{silent: true}, nil, "mqtts", func(o *Options) { o.CA = ca.file }, Timeout, []string{"encryption", "if the broker does not encrypt, write mqtt://127.0.0.1:"}},
		{"protocol version", &script{connack: 1}, nil, "mqtt", nil, ConnectRefused, []string{"MQTT 3.1.1", "code 1"}},
		{"client id", &script{connack: 2}, nil, "mqtt", nil, ConnectRefused, []string{`client id "test"`}},
		{"unavailable", &script{connack: 3}, nil, "mqtt", nil, ConnectRefused, []string{"code 3"}},
		{"password", &script{connack: 4}, nil, "mqtt", nil, ConnectRefused, []string{"user name or password is wrong"}},
		{"not authorised", &script{connack: 5}, nil, "mqtt", nil, ConnectRefused, []string{"not authorised (code 5)", "access list"}},
		{"not authorised, as AWS says it", &script{connack: 7}, ca.server("127.0.0.1", -time.Hour, year, mutual), "mqtts",
			func(o *Options) { o.CA, o.Cert, o.Key = ca.file, cert, key }, ConnectRefused, []string{"not authorised (code 7)", "policy"}},
		{"unknown code", &script{connack: 99}, nil, "mqtt", nil, ConnectRefused, []string{"return code 99"}},
		{"closes upon CONNECT", &script{hangUp: true}, nil, "mqtt", nil, ClosedEarly, []string{"without an answer to CONNECT", "if this port is encrypted, write mqtts://127.0.0.1:"}},
		{"closes upon CONNECT, without having asked for a certificate", &script{hangUp: true}, ca.server("127.0.0.1", -time.Hour, year, tls.NoClientCert), "mqtts",
			func(o *Options) { o.CA = ca.file }, ClosedEarly, []string{"its log for"}},
		{"closes upon CONNECT, having asked for a certificate", &script{hangUp: true}, ca.server("127.0.0.1", -time.Hour, year, tls.RequestClientCert), "mqtts",
			func(o *Options) { o.CA = ca.file }, ClientRefused, []string{"give cert and key"}},
		{"old TLS", &script{}, old(tls.VersionTLS10), "mqtts", func(o *Options) { o.CA = ca.file }, BadTLS, []string{"before 1.2", "update the broker"}},
		{"no common cipher", &script{}, old(tls.VersionTLS12), "mqtts", func(o *Options) { o.CA = ca.file }, BadTLS, []string{"no cipher in common", "ECDHE"}},
		{"closes upon CONNECT, with certificate", &script{hangUp: true}, ca.server("127.0.0.1", -time.Hour, year, mutual), "mqtts",
			func(o *Options) { o.CA, o.Cert, o.Key = ca.file, cert, key }, ClosedEarly, []string{"it does not accept the certificate", `"test"`}},
		{"web server", &script{greeting: []byte("HTTP/1.1 400 Bad Request\r\n\r\n")}, nil, "mqtt", nil, NotMQTT, []string{"web server"}},
		{"something else", &script{greeting: []byte("220 mail.example ESMTP\r\n")}, nil, "mqtt", nil, NotMQTT, []string{"does not answer in MQTT"}},
		{"plain client, TLS port", &script{greeting: []byte{0x15, 3, 1, 0, 2, 2, 70}}, nil, "mqtt", nil, NotMQTT, []string{"use mqtts://"}},
		{"TLS client, plain port", &script{greeting: []byte("hello, this is not TLS")}, nil, "mqtts", func(o *Options) { o.CA = ca.file }, NotMQTT, []string{"use mqtt://"}},
		{"WebSocket client, plain port", &script{greeting: []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")}, nil, "ws", nil, NotMQTT, []string{"HTTP status 404"}},
		{"unknown authority", &script{}, ca.server("127.0.0.1", -time.Hour, year, tls.NoClientCert), "mqtts",
			func(o *Options) { o.CA = other.file }, UnknownCA, []string{"not from an authority in", other.file}},
		{"unknown authority, system's", &script{}, ca.server("127.0.0.1", -time.Hour, year, tls.NoClientCert), "mqtts", nil, UnknownCA, []string{"as ca"}},
		{"another host's certificate", &script{}, ca.server("broker.example", -time.Hour, year, tls.NoClientCert), "mqtts",
			func(o *Options) { o.CA = ca.file }, WrongName, []string{"for broker.example, not for 127.0.0.1"}},
		{"server certificate expired", &script{}, ca.server("127.0.0.1", -2*time.Hour, -time.Hour, tls.NoClientCert), "mqtts",
			func(o *Options) { o.CA = ca.file }, Expired, []string{"the certificate of 127.0.0.1", "expired on", "clock reads"}},
		{"clock of 1970", &script{}, ca.server("127.0.0.1", -time.Hour, year, tls.NoClientCert), "mqtts",
			func(o *Options) { o.CA = ca.file; o.now = func() time.Time { return time.Unix(100, 0) } }, NotYetValid, []string{"clock reads 1970-01-01 00:01", "timedatectl"}},
		{"client certificate missing", &script{}, ca.server("127.0.0.1", -time.Hour, year, mutual), "mqtts",
			func(o *Options) { o.CA = ca.file }, ClientRefused, []string{"give cert and key"}},
		{"client certificate missing, TLS 1.2", &script{}, capped(ca.server("127.0.0.1", -time.Hour, year, mutual)), "mqtts",
			func(o *Options) { o.CA = ca.file }, ClientRefused, []string{"give cert and key"}},
		{"client certificate of another authority", &script{}, ca.server("127.0.0.1", -time.Hour, year, mutual), "mqtts",
			func(o *Options) { o.CA, o.Cert, o.Key = ca.file, foreign, foreignKey }, ClientRefused, []string{foreign}},
		{"client certificate expired", &script{}, ca.server("127.0.0.1", -time.Hour, year, mutual), "mqtts",
			func(o *Options) { o.CA, o.Cert, o.Key = ca.file, expired, expiredKey }, Expired, []string{"client certificate " + expired, "clock reads"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := closed
			if tt.s != nil {
				addr = tt.s.listen(t, tt.tls)
			}
			o := options(addr)
			o.Endpoint = tt.scheme + "://" + addr
			o.ConnectTimeout = 5 * time.Second
			if tt.kind == Timeout {
				o.ConnectTimeout = 200 * time.Millisecond
			}
			if tt.change != nil {
				tt.change(&o)
			}
			if tt.name == "no such host" {
				o.Dial = func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "host.invalid", IsNotFound: true}}
				}
			}
			l, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = connect(t.Context(), l.parts)
			wantFault(t, err, tt.kind, tt.words...)
		})
	}
}

// capped limits a broker to TLS 1.2.
func capped(c *tls.Config) *tls.Config {
	c.MaxVersion = tls.VersionTLS12
	return c
}

// A certificate is read again at each attempt, so renewing it heals the link.
func TestRotatedCertificate(t *testing.T) {
	ca, other := newAuthority(t, "right"), newAuthority(t, "wrong")
	s := &script{}
	addr := s.listen(t, ca.server("127.0.0.1", -time.Hour, year, tls.RequireAndVerifyClientCert))
	cert, key := other.issue("client", "", -time.Hour, year)
	o := options(addr)
	o.Endpoint = "mqtts://" + addr
	o.CA, o.Cert, o.Key = ca.file, cert, key
	o.Backoff = Backoff{Min: 20 * time.Millisecond, Max: 20 * time.Millisecond}
	l := run(t, o)
	publish(t, l, 1, "x")
	lastError(t, l)
	newCert, newKey := ca.issue("client", "", -time.Hour, year)
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, l)
}

func TestALPNAndSNI(t *testing.T) {
	ca := newAuthority(t, "test")
	cert, key := ca.issue("client", "", -time.Hour, year)
	for _, tt := range []struct {
		name   string
		change func(*Options)
		alpn   []string
		sni    string
	}{
		{"none", func(o *Options) { o.Cert, o.Key = cert, key }, nil, "broker.example"},
		{"given", func(o *Options) {
			o.ALPN = []string{"special"}
			o.ServerName = "broker.example"
			o.Endpoint = "mqtts://192.0.2.1:443"
		}, []string{"special"}, "broker.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			var hello *tls.ClientHelloInfo
			c := ca.server("broker.example", -time.Hour, year, tls.RequestClientCert)
			c.NextProtos = tt.alpn
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				mu.Lock()
				defer mu.Unlock()
				hello = h
				return nil, nil
			}
			s := &script{}
			addr := s.listen(t, c)
			o := options(addr)
			o.Endpoint = "mqtts://broker.example:443"
			o.CA = ca.file
			tt.change(&o)
			o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			l := run(t, o)
			publish(t, l, 1, "x")
			flush(t, l)
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(hello.SupportedProtos, tt.alpn) || hello.ServerName != tt.sni {
				t.Errorf("ALPN %v, SNI %q; want %v, %q", hello.SupportedProtos, hello.ServerName, tt.alpn, tt.sni)
			}
		})
	}
}

// What New finds without a network.
func TestOptionsThatCannotWork(t *testing.T) {
	ca := newAuthority(t, "test")
	cert, key := ca.issue("client", "", -time.Hour, year)
	_, otherKey := ca.issue("other", "", -time.Hour, year)
	write := func(name, text string) string {
		p := filepath.Join(ca.dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	junk := write("junk.pem", "not PEM at all")
	locked := write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	damaged := write("damaged.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	damagedCert := write("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	empty := t.TempDir()
	for _, tt := range []struct {
		name   string
		change func(*Options)
		kind   Kind
		words  []string
	}{
		{"no endpoint", func(o *Options) { o.Endpoint = "" }, BadEndpoint, []string{"mqtts://HOST"}},
		{"CA missing", func(o *Options) { o.CA = "/nowhere/ca.pem" }, BadCA, []string{"/nowhere/ca.pem", "check the path"}},
		{"CA not PEM", func(o *Options) { o.CA = junk }, BadCA, []string{junk, "BEGIN CERTIFICATE"}},
		{"CA damaged", func(o *Options) { o.CA = damagedCert }, BadCA, []string{damagedCert}},
		{"CA folder empty", func(o *Options) { o.CA = empty }, BadCA, []string{empty, "no certificate"}},
		{"certificate missing", func(o *Options) { o.Cert = "/nowhere/c.pem" }, BadCertificate, []string{"/nowhere/c.pem"}},
		{"certificate is a folder", func(o *Options) { o.Cert = empty }, BadCertificate, []string{"not a regular file"}},
		{"certificate not PEM", func(o *Options) { o.Cert = junk }, BadCertificate, []string{junk}},
		{"key missing", func(o *Options) { o.Key = "/nowhere/c.key" }, BadKey, []string{"/nowhere/c.key"}},
		{"key of another certificate", func(o *Options) { o.Key = otherKey }, KeyMismatch, []string{otherKey, "does not belong", cert}},
		{"key with a pass phrase", func(o *Options) { o.Key = locked }, BadKey, []string{"pass phrase"}},
		{"key damaged", func(o *Options) { o.Key = damaged }, BadKey, []string{damaged}},
		{"key and certificate exchanged", func(o *Options) { o.Cert, o.Key = key, cert }, BadCertificate, []string{"exchanged"}},
		{"key without certificate", func(o *Options) { o.Cert = "" }, BadCertificate, []string{"give cert too"}},
		{"certificate without key", func(o *Options) { o.Key = "" }, BadKey, []string{"give key too"}},
		{"certificate without encryption", func(o *Options) { o.Endpoint = "mqtt://broker" }, BadOption, []string{"use mqtts://"}},
		{"password without user name", func(o *Options) { o.Password = "secret" }, BadOption, []string{"user name"}},
		{"session without client id", func(o *Options) { o.CleanSession = false; o.ClientID = "" }, BadOption, []string{"client id"}},
		{"client id too long for the broker", func(o *Options) {
			o.ClientID = strings.Repeat("x", 129)
			o.Limits = Limits{By: "AWS IoT Core", MaxClientID: 128}
		}, BadOption, []string{"AWS IoT Core allows 128"}},
		{"will with a wildcard", func(o *Options) { o.Will = &Message{Topic: "a/#"} }, BadOption, []string{"will"}},
		{"keep-alive", func(o *Options) { o.KeepAlive = time.Millisecond }, BadOption, []string{"keep-alive"}},
		{"negative time-out", func(o *Options) { o.AckTimeout = -1 }, BadOption, []string{"acknowledgement"}},
		{"window", func(o *Options) { o.Window = -1 }, BadOption, []string{"window"}},
		{"drain", func(o *Options) { o.Drain = -1 }, BadOption, []string{"drain"}},
		{"queue", func(o *Options) { o.MaxQueued = -2 }, BadOption, []string{"queue"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := DefaultOptions()
			o.Endpoint, o.ClientID = "mqtts://broker.example", "test"
			o.CA, o.Cert, o.Key = ca.file, cert, key
			tt.change(&o)
			_, err := New(o)
			wantFault(t, err, tt.kind, tt.words...)
			if strings.Contains(Explain(err), "secret") {
				t.Errorf("a secret is printed: %v", err)
			}
		})
	}
}

func TestCheckCertificates(t *testing.T) {
	ca := newAuthority(t, "test")
	cert, key := ca.issue("client", "", -time.Hour, time.Hour)
	o := DefaultOptions()
	o.Endpoint, o.CA, o.Cert, o.Key = "mqtts://broker.example", ca.file, cert, key
	check := func(at time.Time) error {
		warnings, problems := CheckCertificates(o, at)
		if len(warnings) > 0 || len(problems) > 1 {
			t.Error(warnings, problems)
		}
		if len(problems) == 0 {
			return nil
		}
		return problems[0]
	}
	if err := check(time.Now()); err != nil {
		t.Error(err)
	}
	wantFault(t, check(time.Now().Add(2*time.Hour)), Expired, "clock reads", "renew")
	wantFault(t, check(time.Unix(0, 0)), NotYetValid, "1970-01-01")
	// New takes it: the clock may be set before it counts.
	o.now = func() time.Time { return time.Unix(0, 0) }
	if _, err := New(o); err != nil {
		t.Error(err)
	}
}

// What is left out of a bundle is warned of; it is no reason to refuse the rest.
func TestOddCertificateInBundleIsWarnedOf(t *testing.T) {
	ca := newAuthority(t, "test")
	good, err := os.ReadFile(ca.file)
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(ca.dir, "bundle")
	if err := os.WriteFile(bundle, append([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), good...), 0o600); err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Endpoint, o.CA = "mqtts://broker.example", bundle
	warnings, problems := CheckCertificates(o, time.Now())
	if len(problems) > 0 || len(warnings) != 1 || !strings.Contains(warnings[0], bundle+": 1 certificate cannot be read and is left out") {
		t.Errorf("%v %v", warnings, problems)
	}
}

// Whoever has a certificate is not asked to do without encryption.
func TestClearTextIsNotOfferedBesideACertificate(t *testing.T) {
	ca := newAuthority(t, "test")
	cert, key := ca.issue("client", "", -time.Hour, time.Hour)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	o := DefaultOptions()
	o.Endpoint, o.CA, o.Cert, o.Key = "mqtts://"+l.Addr().String(), ca.file, cert, key
	link, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = connect(t.Context(), link.parts)
	wantFault(t, err, Refused, "check host and port")
	if strings.Contains(Explain(err), "mqtt://") {
		t.Error(err)
	}
}
