package mqttlink

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// TestPasswordWithoutCertificate: user name and password over TLS need no certificate
// (MQTT-Explorer#670), and what refuses them is named.
func TestPasswordWithoutCertificate(t *testing.T) {
	ca := newAuthority(t, "test")
	server := ca.server("127.0.0.1", -time.Hour, year, tls.NoClientCert)
	for _, tc := range []struct {
		name   string
		broker *script
		server *tls.Config
		kind   Kind // "": it works
		words  []string
	}{
		{"right", &script{}, server, "", nil},
		{"wrong", &script{connack: 4}, server, ConnectRefused, []string{"user name or password is wrong", "authoriser"}},
		{"not authorised", &script{connack: 5}, server, ConnectRefused, []string{"user name, password", "authoriser"}},
		{"AWS's code", &script{connack: 7}, server, ConnectRefused, []string{"user name, password", "authoriser"}},
		{"hung up on", &script{hangUp: true}, server, ClosedEarly, []string{"check user name and password", "authoriser", "whether it wants a certificate"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := options("")
			o.Endpoint = "mqtts://" + tc.broker.listen(t, tc.server)
			o.CA, o.Username, o.Password = ca.file, "someone", "hush"
			o.Hints.Login = " (an authoriser)"
			if tc.kind == "" {
				l := run(t, o)
				publish(t, l, 1, "0")
				flush(t, l)
				tc.broker.mu.Lock()
				defer tc.broker.mu.Unlock()
				if c := tc.broker.packets[0].(*packets.ConnectPacket); c.Username != "someone" || string(c.Password) != "hush" {
					t.Errorf("CONNECT as %q with %q", c.Username, c.Password)
				}
				return
			}
			l, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = connect(t.Context(), l.parts)
			wantFault(t, err, tc.kind, tc.words...)
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the password is shown: %v", err)
			}
		})
	}
}

// TestRefusedWillIsNamed: some brokers refuse a client whose will they do not allow.
func TestRefusedWillIsNamed(t *testing.T) {
	s := &script{connack: 5}
	o := options(s.listen(t, nil))
	o.Status = true
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = connect(t.Context(), l.parts)
	wantFault(t, err, ConnectRefused, "leave a will on test/status", "status: false")
}
