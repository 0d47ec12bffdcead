// Package mosquitto runs a real mosquitto for tests, and records what is published at it.
package mosquitto

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/test/binary"
)

// Broker is a mosquitto at 127.0.0.1 that accepts every client. It keeps nothing when it
// is down.
type Broker struct {
	// Port is the same whenever it is up.
	Port int

	t    *testing.T
	down func() // nil while it is down

	mu       sync.Mutex
	changed  chan struct{} // closed at the next message
	messages []Message
}

// Message is one that the broker has delivered.
type Message struct{ Topic, Payload string }

// New is a broker that is down. It ends with the test.
func New(t *testing.T) *Broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := &Broker{t: t, Port: l.Addr().(*net.TCPAddr).Port, changed: make(chan struct{})}
	t.Cleanup(b.Down)
	return b
}

// Start is a broker that is up.
func Start(t *testing.T) *Broker {
	t.Helper()
	b := New(t)
	b.Up()
	return b
}

// Up starts the broker, and returns when the recorder is connected. All that is published
// there is recorded, also what a client that waited for the broker publishes before that:
// mosquitto has the recorder's session from its start, saved by one that no other client could reach.
func (b *Broker) Up() {
	t := b.t
	t.Helper()
	folder, err := os.MkdirTemp("", "mosquitto") // t.TempDir() can be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket := filepath.Join(folder, "socket")
	alone := b.start(folder, "listener 0 "+socket)
	c := b.connect("unix://"+socket, alone)
	if token := c.Subscribe("#", 1, nil); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	c.Disconnect(250) // milliseconds, for the packet
	alone.Process.Signal(syscall.SIGTERM)
	if err := alone.Wait(); err != nil {
		t.Fatal(err)
	}

	cmd := b.start(folder, fmt.Sprintf("listener %d 127.0.0.1", b.Port))
	c = b.connect("tcp://127.0.0.1:"+strconv.Itoa(b.Port), cmd)
	b.down = func() {
		c.Disconnect(0)
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// start starts mosquitto. It reads the sessions that are saved in the folder.
func (b *Broker) start(folder, listener string) *exec.Cmd {
	b.t.Helper()
	program := binary.Need(b.t, "mosquitto")
	config := filepath.Join(folder, "mosquitto.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, `%s
allow_anonymous true
persistence true
persistence_location %s/
queue_qos0_messages true
max_queued_messages 0
user root
`, listener, folder), 0o644); err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", config)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	return cmd
}

// connect connects the recorder, as soon as the broker listens.
func (b *Broker) connect(address string, broker *exec.Cmd) mqtt.Client {
	b.t.Helper()
	o := mqtt.NewClientOptions().AddBroker(address).SetClientID("recorder").SetProtocolVersion(4).SetCleanSession(false)
	o.SetOrderMatters(true).SetAutoReconnect(false).SetDefaultPublishHandler(b.record)
	for limit := time.Now().Add(binary.Patience); ; time.Sleep(50 * time.Millisecond) {
		c := mqtt.NewClient(o)
		token := c.Connect()
		if token.Wait() && token.Error() == nil {
			return c
		}
		if time.Now().After(limit) {
			broker.Process.Kill()
			broker.Wait()
			b.t.Fatalf("mosquitto does not answer: %v", token.Error())
		}
	}
}

// Down ends the broker, if it is up.
func (b *Broker) Down() {
	if b.down != nil {
		b.down()
		b.down = nil
	}
}

func (b *Broker) record(_ mqtt.Client, m mqtt.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, Message{m.Topic(), string(m.Payload())})
	close(b.changed)
	b.changed = make(chan struct{})
}

// Messages are those until now, in their order.
func (b *Broker) Messages() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.messages)
}

// Wait waits until done says so of the messages until now.
func (b *Broker) Wait(what string, done func([]Message) bool) {
	b.t.Helper()
	for limit := time.After(binary.Patience); ; {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		messages := b.Messages()
		if done(messages) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			b.t.Fatalf("mosquitto never got %s, but %q", what, messages)
		}
	}
}
