package rule_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/conf"
	"pithings/gateway/collect"
	"pithings/gateway/rule"
)

// seconds returns a batch with a round of each group, sampled so many seconds later than
// those of the rig.
func (r *rig) seconds(s int, groups ...string) (b rule.Batch) {
	for _, g := range groups {
		round := r.round()
		round.Group, round.At = g, at.Add(time.Duration(s)*time.Second)
		b.Rounds = append(b.Rounds, round)
	}
	return b
}

const stamped = "def main(d, w):\n    return int(d['timestamp']) - 1589538347\n"

// A rule whose script sleeps holds up neither the caller nor, for longer than a second, the
// results of others; once it is known to be slow, they do not wait at all.
func TestSlowRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rule.Settings{Publish: []rule.Publish{
			{Name: "slow", Topic: "slow", Groups: []string{"slow"}, Script: script("import time\n" + strings.Replace(stamped, "    return", "    time.sleep(4)\n    return", 1))},
			{Name: "fast", Topic: "fast", Groups: []string{"fast"}, Script: script(stamped)},
		}}
		r := newRig(t, s, func(e *rule.Env) { e.Limits.Time = conf.Duration{Duration: 5 * time.Second} })
		begin := time.Now()
		count := func(topic string, want int, when time.Duration) {
			t.Helper()
			synctest.Wait()
			if got := len(r.link.Published(topic)); got != want {
				t.Errorf("%s was published %d times after %v, want %d", topic, got, when, want)
			}
		}
		for i := range 6 { // each second
			r.Rules.Handle(t.Context(), r.seconds(i, "slow", "fast"))
			if took := time.Since(begin) - time.Duration(i)*time.Second; took != 0 {
				t.Fatalf("Handle took %v", took)
			}
			want := i + 1
			if i == 0 {
				want = 0 // it waits for slow
			}
			count("fast", want, time.Since(begin))
			time.Sleep(time.Second)
		}
		count("fast", 6, 6*time.Second)
		count("slow", 1, 6*time.Second)
		r.Drain(t.Context())
		count("slow", 6, 24*time.Second)
		var order []string
		for _, m := range r.link.Published("slow") {
			order = append(order, string(m.Payload))
			if want := at.Add(time.Duration(len(order)-1) * time.Second); !m.Time.Equal(want) {
				t.Errorf("time %v, want %v", m.Time, want)
			}
		}
		if got := strings.Join(order, " "); got != "0 1 2 3 4 5" {
			t.Errorf("slow published %s", got)
		}
	})
}

// A rule whose calls are shorter than the wait for it, and longer than the polls are apart,
// falls behind by itself: the results of others are a second late at most.
func TestRuleThatFallsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rule.Settings{Publish: []rule.Publish{
			{Name: "slow", Topic: "slow", Groups: []string{"default"}, Script: script("import time\ndef main(d, w):\n    time.sleep(0.3)\n    return 1\n")},
			{Name: "fast", Topic: "fast", Groups: []string{"default"}, Script: script(stamped)},
		}}
		r := newRig(t, s)
		const polls = 300 // in 30 s
		for i := range polls {
			r.Rules.Handle(t.Context(), r.seconds(i, "default"))
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if got, atLeast := len(r.link.Published("fast")), i+1-10; got < atLeast {
				t.Fatalf("after %d polls, fast is published %d times, want %d", i+1, got, atLeast)
			}
		}
		r.Drain(t.Context())
		if slow, fast := len(r.link.Published("slow")), len(r.link.Published("fast")); slow != polls || fast != polls {
			t.Errorf("slow was published %d times and fast %d times, want %d", slow, fast, polls)
		}
		// It has caught up: the next poll waits for it again.
		r.Rules.Handle(t.Context(), r.seconds(polls, "default"))
		synctest.Wait()
		if got := len(r.link.Published("fast")); got != polls {
			t.Errorf("fast was published %d times, and does not wait", got)
		}
		r.Drain(t.Context())
	})
}

// What the rules make of a batch is published in the order of its times, whichever ends
// first, and then what they saved.
func TestResultsAreOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s rule.Settings
		for i, pause := range []string{"0.3", "0", "0.6"} {
			s.Publish = append(s.Publish, rule.Publish{Name: fmt.Sprint(i), Topic: "r", Groups: []string{fmt.Sprint(i)},
				Script: script("import time\ndef main(d, w):\n    time.sleep(" + pause + ")\n    w.save_data({'topic': 'r', 'qos': 1, 'payload': 'saved'})\n    return int(d['timestamp']) - 1589538347\n")})
		}
		r := newRig(t, s)
		for turn := range 3 {
			b := r.seconds(3*turn+2, "0")
			b.Rounds = append(b.Rounds, r.seconds(3*turn+1, "1").Rounds...)
			b.Rounds = append(b.Rounds, r.seconds(3*turn, "2").Rounds...)
			r.Rules.Handle(t.Context(), b)
		}
		r.Drain(t.Context())
		var got []string
		for _, m := range r.link.Published("r") {
			got = append(got, strings.Trim(string(m.Payload), `"`))
		}
		const saved = " saved saved saved "
		if got := strings.Join(got, " ") + " "; got != "0 1 2"+saved+"3 4 5"+saved+"6 7 8"+saved {
			t.Errorf("published %s", got)
		}
	})
}

// The queue of a rule is bounded: the oldest rounds go, and alarms stay.
func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, publish("import time\nn = 0\ndef main(d, w):\n    global n\n    n += 1\n    if n == 1: time.sleep(4)\n    return d['group_name'] + str(int(d['timestamp']))\n"))
		r.Rules.Handle(t.Context(), r.seconds(0, "default"))
		r.Rules.Handle(t.Context(), rule.Batch{Alarms: []collect.AlarmEvent{alarm(true, 33)}})
		for i := range 1010 {
			r.Rules.Handle(t.Context(), r.seconds(i+1, "default"))
		}
		r.Drain(t.Context())
		all := r.link.Published("awsiot/test")
		if len(all) != 1000 || string(all[1].Payload) != `"warning1589434527"` || string(all[2].Payload) != fmt.Sprintf(`"default%d"`, at.Unix()+13) {
			t.Errorf("%d messages, then %s and %s", len(all), all[1].Payload, all[2].Payload)
		}
		if s := r.Stats()[0]; s.Skipped != 12 || strings.Count(r.log.String(), "is too slow") != 1 {
			t.Errorf("%+v, log:\n%s", s, r.log.String())
		}
	})
}
