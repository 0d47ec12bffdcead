//go:build system

package system

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
)

// aclBroker is a mosquitto with the files of deploy/mosquitto, in which only folders and port are
// the test's. What the access list has as examples is in use.
type aclBroker struct {
	t         *testing.T
	authority authority
	conf      string
	port      int
}

func newACLBroker(t *testing.T) *aclBroker {
	t.Helper()
	h := &aclBroker{t: t, authority: newAuthority(t), port: freePort(t)}
	h.authority.Server("127.0.0.1", time.Now().Add(time.Hour))
	dir := t.TempDir()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "mosquitto", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	replace := func(text string, pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				t.Fatalf("there is no %q in the file of deploy/mosquitto", pairs[i])
			}
		}
		return strings.NewReplacer(pairs...).Replace(text)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const folder = "/etc/mosquitto/pithings/"
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("conf.d/pithings.conf", replace(read("pithings.conf"),
		"listener 8883", fmt.Sprintf("listener %d 127.0.0.1", h.port),
		"#crlfile "+folder+"crl.pem", "",
		folder+"ca.pem", h.authority.File("ca.pem"),
		folder+"server.pem", h.authority.File("server.pem"),
		folder+"server.key", h.authority.File("server.key"),
		folder+"acl", write("acl", replace(read("acl"), "#user", "user", "#topic", "topic"))))
	// As Debian's own file, which includes the other.
	main := fmt.Sprintf("persistence true\npersistence_location %s/\nlog_dest stderr\ninclude_dir %s\n", dir, filepath.Join(dir, "conf.d"))
	if os.Geteuid() == 0 {
		main += "user root\n" // it would give its rights up, and then not see our files
	}
	h.conf = write("mosquitto.conf", main)
	return h
}

func (h *aclBroker) start() *process {
	h.t.Helper()
	p := start(h.t, binary.Need(h.t, "mosquitto"), "-c", h.conf)
	eventually(h.t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

// flags are those of mosquitto's programs for a client with a certificate, or without.
func (h *aclBroker) flags(client string) []string {
	f := []string{"-h", "127.0.0.1", "-p", fmt.Sprint(h.port), "--cafile", h.authority.File("ca.pem")}
	if client != "" {
		f = append(f, "--cert", h.authority.File(client+".pem"), "--key", h.authority.File(client+".key"))
	}
	return f
}

func (h *aclBroker) publish(client, topic, payload string, more ...string) (said string, err error) {
	h.t.Helper()
	args := append(h.flags(client), "-q", "1", "-t", topic, "-m", payload)
	out, err := exec.Command(binary.Need(h.t, "mosquitto_pub"), append(args, more...)...).CombinedOutput()
	return string(out), err
}

func (h *aclBroker) subscribe(client string) *process {
	h.t.Helper()
	p := start(h.t, binary.Need(h.t, "stdbuf"), append([]string{"-oL", binary.Need(h.t, "mosquitto_sub"), "-v", "-d", "-t", "#"}, h.flags(client)...)...)
	p.await("SUBACK", func(l string) bool { return strings.Contains(l, "SUBACK") })
	return p
}

// until returns the messages up to one on a topic.
func until(p *process, topic string) (seen []string) {
	p.t.Helper()
	p.await(topic, func(l string) bool {
		if !strings.HasPrefix(l, "Client ") && !strings.HasPrefix(l, "Subscribed ") { // of -d
			seen = append(seen, l)
		}
		return strings.HasPrefix(l, topic+" ")
	})
	return seen
}

func TestMosquittoACL(t *testing.T) {
	h := newACLBroker(t)
	for _, name := range []string{"hall", "porch", "engine", "monitor"} {
		h.authority.client(name)
	}
	broker := h.start()
	monitor := h.subscribe("monitor")

	config := filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf("mqtt: {endpoint: \"mqtts://127.0.0.1:%d\", client_id: hall, ca: %q, cert: %q, key: %q}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\n",
		h.port, h.authority.File("ca.pem"), h.authority.File("hall.pem"), h.authority.File("hall.key")) +
		"things:\n  - {name: TG_MS, type: motion, pin: mock}\n  - {name: TG_Camera, type: camera, device: mock}\n  - {name: TG_Screen, type: screen, device: mock}\n" +
		"flows: [{builtin: SecurityFlow, carrier: broker, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}}]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	hall := start(t, binary.Path, "run", "--mock", "--config", config)
	for _, topic := range []string{"hall/status", "TG_MS/motion", "TG_Camera/capture", "TG_Camera/capture/finished", "TG_Screen/display"} {
		monitor.message(topic)
	}

	// picture has an engine elsewhere take a picture.
	picture := func() {
		t.Helper()
		if said, err := h.publish("engine", "TG_Camera/capture", "{}"); err != nil {
			t.Fatalf("%v %s", err, said)
		}
		monitor.message("TG_Camera/capture/finished")
	}

	t.Run("another Pi cannot act in its name", func(t *testing.T) {
		for _, topic := range []string{"TG_MS/motion", "TG_Camera/capture", "TG_Screen/display", "hall/status", "$SYS/broker/version"} {
			if said, err := h.publish("porch", topic, "forged"); err != nil {
				t.Errorf("%s: %v %s", topic, err, said) // acknowledged and dropped
			}
		}
		if said, err := h.publish("porch", "porch/status", "online"); err != nil {
			t.Fatalf("its own topic: %v %s", err, said)
		}
		for _, m := range until(monitor, "porch/status") {
			if strings.Contains(m, "forged") {
				t.Errorf("it has published %s", m)
			}
		}
	})

	t.Run("another Pi cannot listen", func(t *testing.T) {
		if said, err := h.publish("porch", "porch/keep", "kept", "-r"); err != nil {
			t.Fatalf("%v %s", err, said)
		}
		porch := h.subscribe("porch")
		picture()
		// The client id is the certificate's, so this ends the subscriber's connection. It makes a
		// new one and gets what is retained.
		if said, err := h.publish("porch", "porch/end", "1", "-r"); err != nil {
			t.Fatalf("%v %s", err, said)
		}
		for _, m := range until(porch, "porch/end") {
			if !strings.HasPrefix(m, "porch/") {
				t.Errorf("it has read %s", m)
			}
		}
	})

	t.Run("another Pi cannot take its place", func(t *testing.T) {
		if said, err := h.publish("porch", "porch/x", "1", "-i", "hall"); err != nil {
			t.Fatalf("%v %s", err, said)
		}
		if strings.Contains(broker.logged(), "Client hall already connected") {
			t.Errorf("the client id of hall was taken:\n%s", broker.logged())
		}
	})

	t.Run("strangers", func(t *testing.T) {
		if said, err := h.publish("", "TG_MS/motion", "x"); err == nil {
			t.Errorf("without a certificate: %s", said)
		}
		other := newAuthority(t)
		other.client("hall")
		if said, err := h.publish("", "TG_MS/motion", "x", "--cert", other.File("hall.pem"), "--key", other.File("hall.key")); err == nil {
			t.Errorf("with a certificate of another authority: %s", said)
		}
	})

	t.Run("after a restart", func(t *testing.T) {
		broker.cmd.Process.Signal(syscall.SIGTERM)
		<-broker.ended
		h.start()
		if got := monitor.message("porch/keep"); got != "kept" {
			t.Errorf("the retained message is %q", got)
		}
		eventually(t, "hall is connected again", func() bool { return strings.Count(hall.logged(), "msg=connected") == 2 })
		picture()
	})
}

// With Home Assistant at that broker: it finds the Pi, changes its settings, and brings it back; no other
// Pi can describe itself in its name, change its settings, or say that Home Assistant has started.
func TestMosquittoACLWithHomeAssistant(t *testing.T) {
	h := newACLBroker(t)
	for _, name := range []string{"hall", "porch", "engine", "monitor", "homeassistant"} {
		h.authority.client(name)
	}
	h.start()
	monitor := h.subscribe("monitor")
	config := filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf("home_assistant: true\nmqtt: {endpoint: \"mqtts://127.0.0.1:%d\", client_id: hall, ca: %q, cert: %q, key: %q}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\n",
		h.port, h.authority.File("ca.pem"), h.authority.File("hall.pem"), h.authority.File("hall.key")) + "things: [{name: TG_Camera, type: camera, device: mock, quality: 80}]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, binary.Path, "run", "--mock", "--config", config)
	const described, settings, set = "homeassistant/device/pithings-hall/config", "hall/home_assistant/state", "hall/home_assistant/set"
	if got := monitor.message(described); !strings.Contains(got, "TG_Camera") {
		t.Fatalf("described as %s", got)
	}
	send := func(client, topic, payload string) {
		t.Helper()
		if said, err := h.publish(client, topic, payload); err != nil {
			t.Fatalf("%s, %s: %v %s", client, topic, err, said)
		}
	}
	for _, client := range []string{"porch", "engine"} {
		send(client, described, "")
		send(client, "homeassistant/status", "online")
		send(client, set, `{"thing":"TG_Camera","key":"quality","value":10}`)
	}
	// What they have sent is in the broker before this, and was dropped there.
	send("porch", "porch/end", "1")
	for _, m := range until(monitor, "porch/end") {
		if strings.HasPrefix(m, "homeassistant/status ") || strings.HasPrefix(m, set) || m == described+" " {
			t.Errorf("they have published %s", m)
		}
	}
	send("homeassistant", "homeassistant/status", "online")
	monitor.message(described)
	send("homeassistant", set, `{"thing":"TG_Camera","key":"quality","value":55}`)
	eventually(t, "the changed setting", func() bool { return strings.Contains(monitor.message(settings), "55") })
	send("homeassistant", "TG_Camera/capture", "{}")
	monitor.message("TG_Camera/capture/finished")
}
