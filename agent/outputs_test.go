package agent

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
)

// relay is a configuration with further keys of an output, and of a motion sensor.
func relay(keys, others string) string {
	return fmt.Sprintf(`
mqtt: {client_id: pi, reconnect: {min: 100ms, max: 200ms, stable: 1s}}
things:
  - {name: relay, type: output, pin: GPIO27%s}
  - {name: TG_MS, type: motion, pin: GPIO17, warm_up: 0s, hold: 0s%s}
`, keys, others)
}

// isOn reports whether the relay is on.
func (l *lab) isOn() bool { return l.board.Pin("GPIO27").Level() == gpio.High }

// levels are those to which the line was switched since it was requested as an output.
func (l *lab) levels() string {
	var all []string
	for _, c := range l.board.Pin("GPIO27").Changes() {
		all = append(all, strings.ToLower(c.Level.String()))
	}
	return strings.Join(all, " ")
}

// command gives the relay a command until it has the state, because the first may come before
// the subscription.
func (l *lab) command(state string, on bool) {
	l.t.Helper()
	l.until("the relay", func() bool {
		if l.isOn() != on {
			l.publish("relay/set", state)
		}
		return l.isOn() == on
	})
}

func (l *lab) switchOn() {
	l.t.Helper()
	l.command("ON", true)
	l.until("its report", func() bool { return l.states() == "off on" })
}

// states are those that the relay has reported.
func (l *lab) states() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, m := range l.heard {
		if m.Topic == "relay/state" {
			all = append(all, strings.TrimSuffix(strings.TrimPrefix(string(m.Payload), `{"state":"`), `"}`))
		}
	}
	return strings.Join(all, " ")
}

// A reload that changes something else does not touch an output: neither its line nor what it
// reports.
func TestReloadLeavesOutputsAlone(t *testing.T) {
	r := newReloader(t, relay("", ""))
	r.switchOn()
	for _, text := range []string{
		relay("", ", publish: both"),
		"log: {level: warn}\npictures: {max_count: 7}\n" + relay("", ""),
		relay("", "") + "  - {name: bme680, type: environment}\n  - {name: horn, type: output, pin: GPIO5}\n",
		relay("", "") + "flows: [{builtin: SecurityFlow, things: {motionSensor: TG_MS, camera: c, screen: s}}]\n",
		relay("", ""),
	} {
		did, err := r.reload(text)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(did.Things, "relay") {
			t.Errorf("made anew by\n%s", text)
		}
	}
	if r.levels() != "high" || r.states() != "off on" {
		t.Errorf("the line was %s, and %s was reported", r.levels(), r.states())
	}

	// A key of its own has it end and begin, as at_exit and at_start say.
	r.mustReload(relay(", max_on: 1h", ""))
	r.until("switched off", func() bool { return !r.isOn() && r.states() == "off on off off" })
}

func TestReloadOfAnOutputThatKeepsItsLevel(t *testing.T) {
	const keep = ", at_start: keep, at_exit: keep"
	r := newReloader(t, relay(keep, ""))
	r.switchOn()
	did := r.mustReload(relay(keep+", max_on: 1h", ""))
	r.until("its report", func() bool { return r.states() == "off on on" })
	if !slices.Contains(did.Things, "relay") || r.levels() != "" || !r.isOn() { // since it was requested again
		t.Errorf("%+v: the line was %s", did, r.levels())
	}
}

// What a restart does to an output is what at_exit and at_start say.
func TestRestartOfAnOutput(t *testing.T) {
	for _, row := range []struct {
		keys          string
		stopped, then bool
	}{
		{"", false, false},
		{", at_exit: keep", true, false},
		{", at_start: keep, at_exit: keep", true, true},
		{", at_start: keep", false, false},
		{", at_start: \"on\"", false, true},
	} {
		t.Run(row.keys, func(t *testing.T) {
			l := newLab(t, mock.Options{}, relay(row.keys, ""))
			l.command("ON", true)
			// A report that waits would come after the next start.
			l.until("its report", func() bool { return strings.HasSuffix(l.states(), "on") })
			l.stop()
			if l.isOn() != row.stopped {
				t.Errorf("after the end: on is %v; the line was %s", l.isOn(), l.levels())
			}
			l.forget()
			l.start(relay(row.keys, ""))
			l.until("its report", func() bool { return l.states() != "" })
			if l.isOn() != row.then || (l.states() == "on") != row.then {
				t.Errorf("after the start: on is %v, reported %s; the line was %s", l.isOn(), l.states(), l.levels())
			}
			if row.stopped && row.then && l.levels() != "" { // since it was requested again
				t.Errorf("the line was %s", l.levels())
			}
		})
	}
}

// A connection that comes back switches nothing: a retained command, which the broker sends
// again, is not obeyed unless the configuration says so.
func TestReconnectDoesNotSwitch(t *testing.T) {
	for keys, obeyed := range map[string]bool{"": false, ", retained: obey": true} {
		t.Run(keys, func(t *testing.T) {
			b, err := broker.Start("127.0.0.1:0", broker.Options{}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { b.Close() })
			l := newLab(t, mock.Options{}, strings.Replace(relay(keys, ", publish: both"), "{client_id", "{endpoint: \"mqtt://"+b.Addr()+"\", client_id", 1))
			l.command("ON", true) // so that the subscription is there
			l.command("OFF", false)
			command := mqttlink.Message{Topic: "relay/set", QoS: 1, Payload: []byte("ON"), Retain: true}
			if err := l.listener.Publish(t.Context(), command); err != nil { // it arrives as a command of now
				t.Fatal(err)
			}
			l.until("the relay", l.isOn)
			l.command("OFF", false)
			l.interrupt("pi")
			if obeyed {
				l.until("the retained command", func() bool { return strings.HasSuffix(l.levels(), "high low high low high") })
				return
			}
			l.until("the retained command", func() bool { return strings.Contains(l.log.String(), "retained command ignored") })
			l.move() // and more arrives after it
			if l.levels() != "high low high low" {
				t.Errorf("the line was %s", l.levels())
			}
		})
	}
}

// interrupt ends the connection and the session of a client, by taking them over (MQTT 3.1.1
// section 3.1.4).
func (l *lab) interrupt(clientID string) {
	l.t.Helper()
	before := l.agent.links.shared.Stats().Connects
	c, err := net.Dial("tcp", strings.TrimPrefix(l.agent.Endpoint(), "mqtt://"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	body := append([]byte("\x00\x04MQTT\x04\x02\x00\x3c\x00"), byte(len(clientID)))
	body = append(body, clientID...)
	if _, err := c.Write(append([]byte{0x10, byte(len(body))}, body...)); err != nil {
		l.t.Fatal(err)
	}
	if b, err := bufio.NewReader(c).ReadByte(); err != nil || b != 0x20 {
		l.t.Fatalf("no CONNACK: %#x %v", b, err)
	}
	l.until("the connection", func() bool { return l.agent.links.shared.Stats().Connects > before })
}

// An output whose interlock names no output is refused before anything is switched.
func TestInterlockNamesOutputs(t *testing.T) {
	for names, want := range map[string]string{
		"[relya]": `interlock: there is no other thing "relya" of type output`,
		"[relay]": `interlock: there is no other thing "relay" of type output`,
		"[TG_MS]": `interlock: there is no other thing "TG_MS" of type output`,
	} {
		text := "broker: {listen: \"127.0.0.1:0\"}\n" + relay(", interlock: "+names, "")
		if _, _, err := config.Parse("test", []byte(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", names, err)
		}
	}
	l := newLab(t, mock.Options{}, relay(", interlock: [down]", "")+"  - {name: down, type: output, pin: GPIO5}\n")
	l.switchOn()
	l.until("the refusal", func() bool {
		l.publish("down/set", "ON")
		return strings.Contains(l.log.String(), "relay is on, and the interlock keeps down off")
	})
	if l.board.Pin("GPIO5").Level() == gpio.High {
		t.Error("both are on")
	}
}

// A reload that takes an output out of the configuration, or gives its name to another kind,
// frees the others, also of one that is left on.
func TestReloadForgetsTheInterlock(t *testing.T) {
	for _, then := range []string{"", "  - {name: relay, type: input, pin: GPIO23}\n"} {
		const down = "  - {name: down, type: output, pin: GPIO5}\n"
		r := newReloader(t, relay(", at_exit: keep, interlock: [down]", "")+down)
		r.switchOn()
		before, _, _ := strings.Cut(relay("", ""), "  - ")
		r.mustReload(before + then + down)
		r.until("the other output", func() bool {
			r.publish("down/set", "ON") // its subscription is new
			return r.board.Pin("GPIO5").Level() == gpio.High
		})
	}
}
