//go:build system

package system

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/test/binary"
	broker "pithings/test/mosquitto"
)

// What is recorded at one mosquitto and replayed at another is the same, in the same order.
func TestRecordAndReplayAtMosquitto(t *testing.T) {
	const n = 500
	from, to := broker.Start(t), broker.Start(t)
	file := filepath.Join(t.TempDir(), "recording")
	link, err := mqttlink.New(mqttlink.Options{Endpoint: "mqtt://127.0.0.1:" + strconv.Itoa(from.Port), CleanSession: true, MaxQueued: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	recorder := start(t, binary.Path, "watch", "-p", strconv.Itoa(from.Port), "-t", "dt/#", "-t", "cmd/#", "--record", file, "-C", strconv.Itoa(n))
	var published []broker.Message
	for i, running := 0, true; running; i++ { // the first ones come before the recorder has subscribed
		m := mqttlink.Message{Topic: fmt.Sprintf("dt/ac/company1/area1/dev-%d/temp", i%5), QoS: 1, Payload: fmt.Appendf(nil, `{"temp": %d}`, i)}
		if i%9 == 0 {
			m.Topic, m.Payload = "cmd/picture", []byte{0xff, 0xd8, byte(i), byte(i >> 8)}
		}
		if err := link.Publish(ctx, m); err != nil {
			t.Fatal(err)
		}
		published = append(published, broker.Message{Topic: m.Topic, Payload: string(m.Payload)})
		select {
		case <-recorder.ended:
			running = false
		case <-time.After(time.Millisecond):
		}
	}
	want := recordedIn(t, file)
	if first := slices.Index(published, want[0]); len(want) != n || first < 0 || !slices.Equal(want, published[first:min(first+n, len(published))]) {
		t.Fatalf("%d messages are recorded, and not as they were published", len(want))
	}
	replay := start(t, binary.Path, "watch", "-p", strconv.Itoa(to.Port), "--replay", file, "--speed", "max")
	to.Wait("the recording", func(all []broker.Message) bool { return len(all) >= n })
	<-replay.ended
	if got := to.Messages(); !slices.Equal(got, want) {
		t.Errorf("replayed %q\nrecorded %q", got, want)
	}
}

// recordedIn reads a recording as any program would.
func recordedIn(t *testing.T, file string) (all []broker.Message) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		var m struct {
			Topic, Payload string
			Base64         []byte
		}
		if err := json.Unmarshal(in.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, broker.Message{Topic: m.Topic, Payload: m.Payload + string(m.Base64)})
	}
	return all
}
