//go:build system

package system

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/awsiot/cloud/cloudtest"
	"pithings/test/binary"
)

// servedCloud is a pithings cloud at a mosquitto that asks for certificates.
type servedCloud struct {
	t     *testing.T
	a     authority
	port  int
	state string
}

// serveCloud starts both. The cloud registers devices by the template of the transcripts.
func serveCloud(t *testing.T) *servedCloud {
	t.Helper()
	s := &servedCloud{t: t, a: newAuthority(t), state: t.TempDir()}
	s.port = mosquitto(t, s.a.mutual()...)
	s.a.client("cloud")
	s.a.client("device")
	template := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(template, []byte(`name: fleet
parameters: [SerialNumber]
thing_name: pi-{SerialNumber}
device_configuration: {interval: "60"}
allow: {SerialNumber: ["0001", "0002", "0003"]}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, binary.Path, append([]string{"cloud", "-e", "127.0.0.1", "-p", fmt.Sprint(s.port), "--state", s.state, "--template", template, "--create-keys", "-v"}, s.a.flags("cloud")...)...)
	p.log("subscribed to requests")
	return s
}

// tls is the configuration of a client with its certificate.
func (s *servedCloud) tls(name string) *tls.Config {
	s.t.Helper()
	pair, err := tls.LoadX509KeyPair(s.a.File(name+".pem"), s.a.File(name+".key"))
	if err != nil {
		s.t.Fatal(err)
	}
	ca, err := os.ReadFile(s.a.File("ca.pem"))
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}
}

// connect connects a device.
func (s *servedCloud) connect(id string) mqtt.Client {
	s.t.Helper()
	o := mqtt.NewClientOptions().AddBroker(fmt.Sprintf("ssl://127.0.0.1:%d", s.port)).SetClientID(id).SetProtocolVersion(4)
	o.SetTLSConfig(s.tls("device")).SetOrderMatters(true)
	c := mqtt.NewClient(o)
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		s.t.Fatal(token.Error())
	}
	s.t.Cleanup(func() { c.Disconnect(0) })
	return c
}

// command runs pithings cloud COMMAND with the state folder.
func (s *servedCloud) command(args ...string) (string, error) {
	s.t.Helper()
	out, said, code := finish(s.t, append(append([]string{"cloud"}, args...), "--state", s.state)...)
	if code != 0 {
		return out, fmt.Errorf("exit status %d: %s", code, said)
	}
	return out, nil
}

// answers are the ends of the topics on which the cloud publishes.
var answers = []string{"accepted", "rejected", "delta", "documents", "notify", "notify-next"}

// TestCloudTranscripts: the built program at a real broker says, byte for byte but for times
// and what is random, what the transcripts of AWS's documentation have.
func TestCloudTranscripts(t *testing.T) {
	s := serveCloud(t)
	c := s.connect("device")
	messages := make(chan mqtt.Message, 100)
	if token := c.Subscribe("$aws/#", 1, func(_ mqtt.Client, m mqtt.Message) {
		if slices.Contains(answers, m.Topic()[strings.LastIndexByte(m.Topic(), '/')+1:]) {
			messages <- m
		}
	}); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	player := cloudtest.Player{
		Publish: func(topic, payload string) {
			if token := c.Publish(topic, 1, false, payload); token.Wait() && token.Error() != nil {
				t.Fatal(token.Error())
			}
		},
		Next: func() (topic, payload string) {
			select {
			case m := <-messages:
				return m.Topic(), string(m.Payload())
			case <-time.After(binary.Patience):
				t.Fatal("no further message")
			}
			return "", ""
		},
		Do: func(command, arguments string) error {
			words := strings.SplitN(arguments, " ", 3)
			if command == "cancel-job" {
				_, err := s.command("job", "cancel", words[0])
				return err
			}
			_, err := s.command("job", "create", words[1], words[2], "--id", words[0])
			return err
		},
	}
	for _, name := range cloudtest.Names(t) {
		player.Play(t, name)
	}
	// The commands for people, at the same broker.
	flags := append([]string{"-e", "127.0.0.1", "-p", fmt.Sprint(s.port)}, s.a.flags("device")...)
	out, said, code := finish(t, append([]string{"cloud", "shadow", "set", "pi9", `{"debug":true}`}, flags...)...)
	if code != 0 || !strings.Contains(out, `"debug": true`) {
		t.Errorf("shadow set: %d %s%s", code, out, said)
	}
	out, said, code = finish(t, append([]string{"cloud", "shadow", "get", "pi9"}, flags...)...)
	if code != 0 || !strings.Contains(out, `"delta": {`) {
		t.Errorf("shadow get: %d %s%s", code, out, said)
	}
	out, said, code = finish(t, append([]string{"cloud", "shadow", "get", "pi9", "night"}, flags...)...)
	if code != 1 || !strings.Contains(said, "404, No shadow exists with name: 'night'") {
		t.Errorf("shadow get of another: %d %s%s", code, out, said)
	}
	if out, err := s.command("job", "list", "MyThing"); err != nil || !strings.Contains(out, "0003") || !strings.Contains(out, "CANCELED") {
		t.Errorf("job list: %v %s", err, out)
	}
}
