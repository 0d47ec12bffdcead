package rule

import (
	"context"

	"pithings/gateway/collect"
	"pithings/gateway/script"
	"pithings/mqttlink"
)

// result is what a rule made of a round.
type result struct {
	message mqttlink.Message
	saved   []mqttlink.Message
	program *program
	empty   bool // there is no message
}

// alarmRound is the alarms of a group, each once.
type alarmRound struct {
	group  string
	events []collect.AlarmEvent
}

// alarmRounds splits events by their groups, so that no alarm is twice in one.
func alarmRounds(events []collect.AlarmEvent) (rounds []alarmRound) {
next:
	for _, e := range events {
		for i := len(rounds) - 1; i >= 0; i-- {
			if rounds[i].group != e.Group {
				continue
			}
			if !has(rounds[i].events, e.Name) {
				rounds[i].events = append(rounds[i].events, e)
				continue next
			}
			break
		}
		rounds = append(rounds, alarmRound{e.Group, []collect.AlarmEvent{e}})
	}
	return rounds
}

func has(events []collect.AlarmEvent, name string) bool {
	for _, e := range events {
		if e.Name == name {
			return true
		}
	}
	return false
}

func (p *publishRule) in(group string) bool {
	for _, g := range p.groups {
		if g == group {
			return true
		}
	}
	return false
}

func (p *publishRule) wants(t *turn) bool {
	for _, r := range t.Rounds {
		if p.in(r.Group) {
			return true
		}
	}
	for _, r := range t.rounds {
		if p.in(r.group) {
			return true
		}
	}
	return false
}

// handle makes results of the alarms and rounds of the rule's groups. done is false if ctx
// has ended it before.
func (p *publishRule) handle(ctx context.Context, t *turn) (all []result, done bool) {
	for _, r := range t.rounds {
		if p.in(r.group) {
			at := r.events[len(r.events)-1].At
			one, ok := p.one(ctx, &call{at: at, alarm: true}, func(second, _ bool) any {
				if second {
					return alarmMessage(r.group, at, r.events)
				}
				return alarms(r.group, at, r.events)
			})
			if !ok {
				return all, false
			}
			all = append(all, one...)
		}
	}
	for _, r := range t.Rounds {
		if p.in(r.Group) {
			one, ok := p.one(ctx, &call{at: r.At}, func(second, wizard bool) any {
				switch {
				case !second:
					return data(&r)
				case wizard:
					return message(&r)
				}
				return flat(&r)
			})
			if !ok {
				return all, false
			}
			all = joined(all, one)
		}
	}
	return all, true
}

// joined appends results; most have none before them.
func joined(all, more []result) []result {
	if all == nil {
		return more
	}
	return append(all, more...)
}

// one makes the result of one call, or none if it fails. done is false if ctx has ended it.
// shape returns the data for 1.x or 2.x, and for a main function with wizard_api or without.
func (p *publishRule) one(ctx context.Context, c *call, shape func(second, wizard bool) any) (all []result, done bool) {
	var payload []byte
	var err error
	if p.script == nil {
		var value script.Value
		if value, err = toScript(shape(false, true)); err == nil {
			payload, err = encode(ctx, value)
		}
	} else {
		payload, err = p.result(ctx, c, func(params []string) []any {
			second := p.second(params)
			rest := p.rest(params, 1)
			wizard := false
			for _, a := range rest {
				wizard = wizard || a == any(p.wizard)
			}
			return append([]any{shape(second, wizard || !second)}, rest...)
		})
	}
	if err != nil {
		return nil, ctx.Err() == nil // what the call has saved is its own, but it did not end
	}
	r := result{program: p.program, saved: c.saved, empty: payload == nil}
	r.message = mqttlink.Message{Topic: p.topic, Payload: payload, QoS: p.qos, Alarm: c.alarm, Time: c.at}
	return []result{r}, true
}

// rest are the arguments of a main function from one on: wizard_api, or the name of the cloud.
func (p *program) rest(params []string, from int) (args []any) {
	for _, name := range params[min(from, len(params)):] {
		switch name {
		case "cloudName", "cloud_name":
			args = append(args, defaultCloud)
		default:
			args = append(args, p.wizard)
		}
	}
	return args
}

// message takes a message of a subscribe rule.
func (s *subscribeRule) message(ctx context.Context, m mqttlink.Message) {
	s.incoming(ctx, func(params []string) []any {
		return append([]any{m.Topic, string(m.Payload)}, s.rest(params, 2)...)
	})
}

// message takes a message of a function: f(topic, payload), or f(payload).
func (f *functionRule) message(ctx context.Context, m mqttlink.Message) {
	f.incoming(ctx, func(params []string) []any {
		switch len(params) {
		case 0:
			return nil
		case 1:
			return []any{string(m.Payload)}
		}
		return append([]any{m.Topic, string(m.Payload)}, f.rest(params, 2)...)
	})
}

// alone runs a function without a message: f(), or f(wizard_api).
func (f *functionRule) alone(ctx context.Context) {
	f.incoming(ctx, func(params []string) []any { return f.rest(params, 0) })
}

// incoming calls the main function for something that comes now, until the rule is closed.
func (p *program) incoming(ctx context.Context, args func(params []string) []any) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	c := new(call) // what it publishes is dated by the link
	if _, err := p.main(ctx, c, args); err == nil {
		p.save(ctx, c)
	}
}
