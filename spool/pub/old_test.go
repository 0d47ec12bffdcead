package pub

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/outbox"
	"pithings/spool/queue"
	"pithings/spool/state"
)

// A state folder of an earlier version is read, and what is in it delivered: in order, and
// what was acknowledged, given away or damaged not.
func TestQueuesOfAnEarlierVersionAreDelivered(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "state-c9f6bd4"))); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, n := range []int{2, 4, 5, 6} {
		want = append(want, fmt.Sprintf("damaged/t message %d", n))
	}
	for n := 5; n <= 40; n++ {
		if !slices.Contains([]int{7, 8, 9, 22, 30, 35}, n) {
			want = append(want, fmt.Sprintf("old/%d %d", n%3, n))
		}
	}
	for _, n := range []int{2, 3, 4, 5} {
		want = append(want, fmt.Sprintf("torn/t message %d", n))
	}

	folder := state.Folder{Dir: dir}
	counts := map[string]outbox.Stats{}
	for _, id := range []string{"pi", "torn", "damaged"} {
		s, err := outbox.Read(folder.QueueDir(id), func(outbox.Record) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		counts[id] = s
	}
	if s := counts["pi"]; s.Messages != 31 || s.Alarms != 6 || s.Damaged+s.Torn > 0 { // with the one that was given away
		t.Errorf("pi: %+v", s)
	}
	if s := counts["torn"]; s.Messages != 4 || s.Damaged != 0 || s.Torn != 1 {
		t.Errorf("torn: %+v", s)
	}
	if s := counts["damaged"]; s.Messages != 4 || s.Damaged != 1 || s.Torn != 0 {
		t.Errorf("damaged: %+v", s)
	}

	b, err := broker.Start("127.0.0.1:0", broker.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	o := options(dir, nil, nil)
	o.Link.Endpoint = b.Endpoint()
	heard := make(chan string, 100)
	listener := o.Link
	listener.ClientID = "listener"
	l, err := mqttlink.New(listener)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Subscribe("#", 1, func(_ context.Context, m mqttlink.Message) {
		number, _, _ := strings.Cut(strings.ReplaceAll(string(m.Payload), "message ", "message_"), " ")
		if m.Retain || number == `{"n":13,"time":1581417913}` {
			number = "13"
		}
		heard <- m.Topic + " " + strings.ReplaceAll(number, "_", " ")
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	if err := l.Publish(ctx, mqttlink.Message{Topic: "listening", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	<-heard
	if err := Drain(ctx, o, nil); err != nil {
		t.Error(err)
	}
	var got []string
	for range want {
		got = append(got, <-heard)
	}
	cancel()
	<-ended
	if !slices.Equal(got, want) || len(heard) > 0 {
		t.Errorf("delivered\n%q, want\n%q; %d more", got, want, len(heard))
	}
	for _, id := range []string{"pi", "torn", "damaged"} {
		if s, err := outbox.Read(folder.QueueDir(id), nil); err != nil || s.Messages > 0 {
			t.Errorf("%s afterwards: %+v, %v", id, s, err)
		}
	}
	if n := queue.CountDeadLetters(folder.QueueDir("pi")); n != 1 {
		t.Errorf("%d dead letters, want the one of that version", n)
	}
	if kept, err := filepath.Glob(filepath.Join(folder.QueueDir("damaged"), "*.damaged")); err != nil || len(kept) != 1 {
		t.Errorf("damaged files %q, %v", kept, err)
	}
}
