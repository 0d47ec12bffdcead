package things

import (
	"fmt"
	"testing"
	"time"

	"pithings/hw/mock"
	"pithings/mqttlink"
)

// TestRedeliveredCommands are not a second picture, as far as they can be known.
func TestRedeliveredCommands(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		c, closeCamera := b.camera()
		defer closeCamera()
		defer b.run(c)()
		time.Sleep(time.Second)
		// command sends one, with or without the broker's mark, and returns the answers.
		command := func(payload string, dup bool) []string {
			b.link.Forget()
			if err := b.link.Inject(mqttlink.Message{Topic: captureTopic, Payload: []byte(payload), QoS: 1, Dup: dup}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			return b.link.Transcript()
		}
		first := command(`{"token": "a"}`, false)
		if len(first) != 1 {
			t.Fatalf("answers %v", first)
		}
		if v, err := ReadFinished([]byte(first[0][len(finishedTopic)+1:])); err != nil || v["token"] != "a" {
			t.Errorf("the answer does not repeat the token: %s, %v", first[0], err)
		}
		if got := command(`{"token": "a"}`, false); fmt.Sprint(got) != fmt.Sprint(first) {
			t.Errorf("the same token again: %v, want %v", got, first)
		}
		if got := command(`{"token": "b"}`, true); len(got) != 1 || got[0] == first[0] {
			t.Errorf("another token: %v", got)
		}
		plain := command(`{}`, false)
		if got := command(`{}`, true); fmt.Sprint(got) != fmt.Sprint(plain) {
			t.Errorf("marked as a redelivery: %v, want %v", got, plain)
		}
		if got := command(`{}`, false); len(got) != 1 || got[0] == plain[0] {
			t.Errorf("another command without a token: %v", got)
		}
		time.Sleep(redeliveredWithin)
		if got := command(`{}`, true); len(got) != 1 || got[0] == plain[0] {
			t.Errorf("marked, but too late to be the one answered: %v", got)
		}
		if got := command(`{"token": 7}`, false); len(got) != 1 || len(got[0]) != len(plain[0]) {
			t.Errorf("what is no token: %v", got)
		}
	})
}

// TestOnePictureForMany: commands that come while a picture is taken share the next
// one, and each token has its answer.
func TestOnePictureForMany(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		c, closeCamera := b.camera()
		defer closeCamera()
		defer b.run(c)()
		time.Sleep(time.Second)
		b.inject(captureTopic, `{"token": "first"}`, false) // and its picture is being taken
		for i := range maxTokens + 10 {
			if err := b.link.Inject(mqttlink.Message{Topic: captureTopic, Payload: fmt.Appendf(nil, `{"token": "%d"}`, i), QoS: 1}); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			b.inject(captureTopic, `{"token": "first"}`, false) // again
			b.inject(captureTopic, `{"token": "1"}`, false)
			b.inject(captureTopic, "{}", false)
		}
		time.Sleep(5 * time.Second)
		pictures, answers := map[any]bool{}, map[any]int{}
		for _, m := range b.link.Published(finishedTopic) {
			v, err := ReadFinished(m.Payload)
			if err != nil {
				t.Fatal(err)
			}
			pictures[v["lastClickedImage"]] = true
			answers[v["token"]]++
		}
		if len(pictures) != 2 {
			t.Errorf("%d pictures, want 2", len(pictures))
		}
		if len(answers) != 1+maxTokens+1 { // the first, as many as there may be, and those without a token
			t.Errorf("%d kinds of commands were answered, want %d", len(answers), 1+maxTokens+1)
		}
		for token, n := range answers {
			if n != 1 {
				t.Errorf("token %v has %d answers", token, n)
			}
		}
	})
}

// TestRepeatedCommandIsNoLever: one command with a token, sent over and over, was
// answered 434,533 times in 20 s through the outbox, whose readings had to make room.
func TestRepeatedCommandIsNoLever(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		c, closeCamera := b.camera()
		defer closeCamera()
		defer b.run(c)()
		time.Sleep(time.Second)
		b.inject(captureTopic, `{"token": "x"}`, false)
		time.Sleep(time.Second)
		if n := len(b.link.Published(finishedTopic)); n != 1 {
			t.Fatalf("%d answers", n)
		}
		b.link.Forget()
		const seconds = 5
		for range seconds * 1000 {
			b.inject(captureTopic, `{"token": "x"}`, false)
			time.Sleep(time.Millisecond)
		}
		answers := b.link.Published(finishedTopic)
		if n := len(answers); n < seconds-1 || n > seconds+1 {
			t.Errorf("%d answers in %d s", n, seconds)
		}
		for _, m := range answers {
			if m.QoS != 0 || !m.Unqueued {
				t.Errorf("an answer is queued: %+v", m)
			}
		}
		b.link.Forget()
		b.inject(captureTopic, `{"token": "y"}`, false) // another command is answered as ever
		time.Sleep(time.Second)
		if a := b.link.Published(finishedTopic); len(a) != 1 || a[0].QoS != 1 || a[0].Unqueued {
			t.Errorf("another token: %v", a)
		}
	})
}
