//go:build emulated

package emulated

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/test/emulated/guest"
)

// mosquitto is a broker on this computer.
type mosquitto struct {
	t    *testing.T
	port int

	mu       sync.Mutex
	messages map[string]string // the last payload on each topic
}

// startMosquitto starts a broker, which ends with the test.
func startMosquitto(t *testing.T) *mosquitto {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mosquitto{t: t, port: l.Addr().(*net.TCPAddr).Port, messages: map[string]string{}}
	l.Close()
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\n", m.port), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/sbin/mosquitto", "-c", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	o := mqtt.NewClientOptions().AddBroker("tcp://127.0.0.1:" + strconv.Itoa(m.port)).SetClientID("host").SetProtocolVersion(4)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c := mqtt.NewClient(o)
		if token := c.Connect(); token.Wait() && token.Error() == nil {
			t.Cleanup(func() { c.Disconnect(0) })
			token := c.Subscribe("#", 1, func(_ mqtt.Client, msg mqtt.Message) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.messages[msg.Topic()] = string(msg.Payload())
			})
			if token.Wait() && token.Error() != nil {
				t.Fatal(token.Error())
			}
			return m
		} else if time.Now().After(end) {
			t.Fatalf("mosquitto does not answer: %v", token.Error())
		}
	}
}

// env tells the guest's tests how to reach the broker.
func (m *mosquitto) env() string {
	return fmt.Sprintf("PITHINGS_TEST_BROKER=%s:%d", guest.HostAddress, m.port)
}

// received checks the last message on a topic.
func (m *mosquitto) received(topic, want string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if got := m.messages[topic]; got != want {
		m.t.Errorf("the broker on this computer got %q on %s, want %q", got, topic, want)
	}
}
