//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/test/binary"
	broker "pithings/test/mosquitto"
)

// shadowed is an agent with shadows, and pithings cloud, at one mosquitto.
type shadowed struct {
	t           *testing.T
	b           *broker.Broker
	file, state string
	shadows     chan mqtt.Message // what the cloud publishes of them
}

func newShadowed(t *testing.T) *shadowed {
	t.Helper()
	b := broker.Start(t)
	return shadowedBehind(t, b, b.Port, "")
}

// shadowedBehind is one whose agent finds the broker at another port, with more of awsiot.
func shadowedBehind(t *testing.T, b *broker.Broker, port int, more string) *shadowed {
	t.Helper()
	s := &shadowed{t: t, b: b, state: t.TempDir(), shadows: make(chan mqtt.Message, 1000)}
	s.file = filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf(`mqtt: {endpoint: "mqtt://127.0.0.1:%d", client_id: hall, reconnect: {min: 100ms, max: 200ms}}
http: {listen: "127.0.0.1:0"}
clock: trust
awsiot: {shadow: {enabled: true}%s}
things:
  - {name: bme680, type: environment, bus: mock, interval: 100ms}
`, port, more)
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, binary.Path, "cloud", "-e", s.broker(), "--state", t.TempDir(), "-v").log("subscribed to requests")
	app := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", s.b.Port)).SetClientID("app").SetProtocolVersion(4))
	if token := app.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { app.Disconnect(0) })
	for _, f := range []string{"", "name/+/"} {
		if token := app.Subscribe("$aws/things/hall/shadow/"+f+"update/documents", 1, func(_ mqtt.Client, m mqtt.Message) { s.shadows <- m }); token.Wait() && token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	return s
}

func (s *shadowed) broker() string { return fmt.Sprintf("mqtt://127.0.0.1:%d", s.b.Port) }

// run starts the agent.
func (s *shadowed) run() *process {
	s.t.Helper()
	return start(s.t, binary.Path, "run", "--state", s.state, s.file)
}

// set runs pithings cloud shadow set hall ARGS.
func (s *shadowed) set(args ...string) {
	s.t.Helper()
	args = append(append([]string{"cloud", "shadow", "set", "hall"}, args...), "-e", s.broker())
	if out, said, code := finish(s.t, args...); code != 0 {
		s.t.Fatalf("%s: exit status %d\n%s%s", strings.Join(args, " "), code, out, said)
	}
}

// reported awaits a shadow that is reported so.
func (s *shadowed) reported(name string, ok func(reported map[string]any) bool) {
	s.t.Helper()
	topic := "$aws/things/hall/shadow/update/documents"
	if name != "" {
		topic = "$aws/things/hall/shadow/name/" + name + "/update/documents"
	}
	last := "nothing"
	for limit := time.After(binary.Patience); ; {
		select {
		case m := <-s.shadows:
			var doc struct {
				Current struct {
					State struct{ Reported map[string]any }
				}
			}
			if m.Topic() != topic {
				continue
			}
			if err := json.Unmarshal(m.Payload(), &doc); err != nil {
				s.t.Fatal(err)
			}
			if last = string(m.Payload()); ok(doc.Current.State.Reported) {
				return
			}
		case <-limit:
			s.t.Fatalf("shadow %q is not as it is to be; the last is %s", name, last)
		}
	}
}

// readings counts the messages of the sensor.
func (s *shadowed) readings() (n int) {
	for _, m := range s.b.Messages() {
		if strings.HasPrefix(m.Topic, "bme680/") {
			n++
		}
	}
	return n
}

func (s *shadowed) kill(p *process) {
	s.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	<-p.ended
}

// The built program at a real mosquitto with pithings cloud: what is desired takes effect, is
// reported, and outlives a kill; null returns to the file; what is local is rejected by name; and
// quarantine holds before the next process sends anything, and loses nothing.
func TestShadowThroughMosquitto(t *testing.T) {
	binary.Need(t, "mosquitto")
	s := newShadowed(t)
	agent := s.run()
	s.reported("", func(r map[string]any) bool {
		return r["connected"] == true && r["debug"] == "off" && r["version"] != nil
	})
	s.set("bme680", `{"interval": "200ms", "bus": "9"}`)
	s.reported("bme680", func(r map[string]any) bool {
		rejected, _ := r["rejected"].(map[string]any)
		return r["interval"] == "200ms" && rejected["bus"] == "it can be changed on the machine only" && len(rejected) == 1
	})
	s.set(`{"debug": "on"}`)
	s.reported("", func(r map[string]any) bool { return r["debug"] == "on" })
	s.kill(agent)

	agent = s.run()
	out, said, code := finish(t, "config", "show", "--state", s.state, s.file)
	if code != 0 || !strings.Contains(out, `interval: "200ms"`) || !strings.Contains(out, `level: "debug"`) || !strings.Contains(out, filepath.Join(s.state, "config")) {
		t.Errorf("config show after a kill: %d\n%s%s", code, out, said)
	}
	s.set("bme680", `{"interval": null, "bus": null}`)
	s.reported("bme680", func(r map[string]any) bool { return r["interval"] == "100ms" && r["rejected"] == nil })

	s.set(`{"quarantine": true}`)
	s.reported("", func(r map[string]any) bool { return r["quarantine"] == true })
	s.kill(agent)
	s.b.Wait("a reading", func(all []broker.Message) bool { return s.readings() > 0 }) // of before
	before := s.readings()
	agent = s.run()
	agent.log("quarantine: nothing is published")
	s.set(`{"services": {"timeout": "70s"}}`) // which takes this process longer than a reading
	s.reported("", func(r map[string]any) bool {
		services, _ := r["services"].(map[string]any)
		return services["timeout"] == "70s" && r["quarantine"] == true
	})
	out, _, _ = finish(t, "queue", "ls", "--state", s.state)
	if after := s.readings(); after != before || !strings.Contains(out, "hall") {
		t.Errorf("%d readings before, %d after a restart in quarantine; the queue: %s", before, after, out)
	}
	s.set(`{"quarantine": null}`)
	s.reported("", func(r map[string]any) bool { return r["quarantine"] == false })
	s.b.Wait("the readings that waited", func(all []broker.Message) bool { return s.readings() > before+5 })
	if agent.interrupt(); slices.Contains(strings.Fields(agent.logged()), "level=ERROR") {
		t.Errorf("the agent has logged errors:\n%s", agent.logged())
	}
	s.reported("", func(r map[string]any) bool { return r["connected"] == false })
}

// door is a way to a broker that can be closed for those who come.
type door struct {
	net.Listener
	closed atomic.Bool
	tried  chan struct{} // has a token when a connection was refused
}

func newDoor(t *testing.T, to int) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{Listener: l, tried: make(chan struct{}, 1)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			switch {
			case err != nil:
				return
			case d.closed.Load():
				c.Close()
				select {
				case d.tried <- struct{}{}:
				default:
				}
			default:
				go carry(c, to)
			}
		}
	}()
	return d
}

// carry carries bytes both ways until one end closes.
func carry(c net.Conn, to int) {
	defer c.Close()
	other, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", to))
	if err != nil {
		return
	}
	defer other.Close()
	go func() {
		_, _ = io.Copy(other, c)
		other.Close()
	}()
	_, _ = io.Copy(c, other)
}

// A setting with which the agent does not connect any more is taken back by itself; the shadow
// says why, and has it no more set, also after a kill.
func TestShadowRollsBackAtMosquitto(t *testing.T) {
	binary.Need(t, "mosquitto")
	b := broker.Start(t)
	d := newDoor(t, b.Port)
	s := shadowedBehind(t, b, d.Addr().(*net.TCPAddr).Port, ", trial: 5s")
	agent := s.run()
	s.reported("", func(r map[string]any) bool { return r["connected"] == true && r["debug"] == "off" })
	d.closed.Store(true) // the connection stays, and the one with the new settings is refused
	s.set(`{"mqtt": {"queue": {"max": 77}}, "services": {"timeout": "70s"}}`)
	select {
	case <-d.tried:
	case <-time.After(binary.Patience):
		t.Fatal("the agent does not connect anew")
	}
	agent.log("settings from afar are taken back")
	d.closed.Store(false)
	refused := func(r map[string]any) bool {
		rejected, _ := r["rejected"].(map[string]any)
		why, _ := rejected["mqtt.queue.max"].(string)
		queue, _ := r["mqtt"].(map[string]any)["queue"].(map[string]any)
		return strings.Contains(why, "no connection with revision 1") && queue["max"] == -1.0
	}
	s.reported("", refused)
	s.kill(agent)
	s.run()
	s.set(`{"log": {"level": "warn"}}`)
	s.reported("", func(r map[string]any) bool {
		logs, _ := r["log"].(map[string]any)
		return logs["level"] == "warn" && refused(r)
	})
}
