package cloud

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"pithings/awsiot/cloud/internal/jobs"
	"pithings/awsiot/cloud/internal/shadow"
	"pithings/mqttlink"
)

// shadowRate is how many requests of a thing AWS serves in a second.
const shadowRate = 20

// shadows serves the Device Shadow service. Its records are shadow/THING/NAME; a classic
// shadow has an empty name.
type shadows struct {
	c *Cloud

	// served counts the requests of each thing in one second.
	second int64
	served map[string]int
	// deleted are the records of shadows that only keep their version.
	deleted map[string]int64
	swept   time.Time
}

const shadowKey = "shadow/"

func (s *shadows) reset() {
	s.served, s.deleted = map[string]int{}, map[string]int64{}
	for _, key := range s.c.store.Keys(shadowKey) {
		if d := s.get(key); d != nil && d.Deleted != 0 {
			s.deleted[key] = d.Deleted
		}
	}
}

func (s *shadows) filters() []string {
	var all []string
	for _, prefix := range []string{"$aws/things/+/shadow/", "$aws/things/+/shadow/name/+/"} {
		for _, request := range []string{shadow.Get, shadow.Update, shadow.Delete} {
			all = append(all, prefix+request)
		}
	}
	return all
}

func (s *shadows) get(key string) *shadow.Document {
	record := s.c.store.Get(key)
	if record == nil {
		return nil
	}
	d, err := shadow.Parse(record)
	if err != nil {
		s.c.log.Error("shadow cannot be read", "key", key, "err", err)
		return nil
	}
	return d
}

var isShadowName = regexp.MustCompile(`^[$a-zA-Z0-9:_-]{1,64}$`).MatchString

func (s *shadows) answer(levels []string, payload []byte, now time.Time) (result, bool) {
	if len(levels) < 5 || levels[1] != "things" || levels[3] != "shadow" {
		return result{}, false
	}
	thing, name, request := levels[2], "", levels[4]
	prefix := classic(thing)
	valid := jobs.ValidThing(thing)
	if len(levels) == 7 && levels[4] == "name" {
		name, request = levels[5], levels[6]
		prefix += "name/" + name + "/"
		valid = valid && isShadowName(name)
	}
	switch {
	case !valid:
		return result{messages: refused(prefix, request, shadow.ErrForbidden, payload, now)}, true
	case !s.allow(thing, now):
		s.c.log.Warn("shadow requests above the rate are refused", "thing", thing)
		return result{messages: refused(prefix, request, shadow.ErrRate, payload, now)}, true
	}
	return s.handle(prefix, thing, name, request, payload, now), true
}

// classic is what the topics of a classic shadow begin with.
func classic(thing string) string { return "$aws/things/" + thing + "/shadow/" }

// refused is the answer to a request that is not served.
func refused(prefix, request string, err *shadow.Error, payload []byte, now time.Time) []mqttlink.Message {
	r := shadow.Rejected(request, err, shadow.Token(payload), now)
	return []mqttlink.Message{message(prefix+r.Topic, r.Payload)}
}

// handle answers a request, on topics with a prefix. A classic shadow has no name.
func (s *shadows) handle(prefix, thing, name, request string, payload []byte, now time.Time) result {
	key, called := shadowKey+thing+"/"+name, cmp.Or(name, thing)
	old := s.get(key)
	next, responses := shadow.Handle(old, called, request, payload, now)
	r := result{failed: refused(prefix, request, shadow.ErrInternal, payload, now)}
	if next != old {
		if err := s.put(key, next); err != nil {
			s.c.log.Error("shadow not saved, the request is refused", "thing", thing, "name", name, "err", err)
			return result{messages: r.failed}
		}
	}
	for _, one := range responses {
		r.messages = append(r.messages, message(prefix+one.Topic, one.Payload))
	}
	s.c.log.Info("shadow", "thing", thing, "name", name, "request", request, "answer", responses[0].Topic)
	return r
}

func (s *shadows) put(key string, d *shadow.Document) error {
	record, err := json.Marshal(d)
	if err == nil {
		err = s.c.store.Put(key, record)
	}
	if err != nil {
		return err
	}
	delete(s.deleted, key)
	if d.Deleted != 0 {
		s.deleted[key] = d.Deleted
	}
	return nil
}

// allow counts a request, and reports whether it is within the rate.
func (s *shadows) allow(thing string, now time.Time) bool {
	rate := s.c.o.ShadowRate
	if rate == 0 {
		rate = shadowRate
	}
	if s.second != now.Unix() {
		s.second = now.Unix()
		clear(s.served)
	}
	s.served[thing]++
	return rate < 0 || s.served[thing] <= rate
}

// due is when the versions of shadows that were deleted long ago are looked for.
func (s *shadows) due() time.Time {
	if len(s.deleted) == 0 {
		return time.Time{}
	}
	return s.swept.Add(idle)
}

func (s *shadows) work(now time.Time) []mqttlink.Message {
	if len(s.deleted) == 0 || now.Before(s.swept.Add(idle)) {
		return nil
	}
	s.swept = now
	for key, at := range s.deleted {
		if (&shadow.Document{Deleted: at}).Forgotten(now) {
			s.c.store.Delete(key)
			delete(s.deleted, key)
		}
	}
	return nil
}

// statuses take the part that a rule has at AWS: as a thing's connection ends without its word,
// the broker publishes its will, and connected in the classic shadow becomes false.
//
// The will is that of mqttlink.Options.Status, retained on THING/status. The broker publishes it
// before it takes the thing's next connection, and replaces it by what that publishes; so the one
// that is kept is never older than the shadow, and counts when the cloud starts, too. One that
// comes late all the same, a device corrects: it reports what differs from its shadow.
type statuses struct{ of *shadows }

func (s *statuses) filters() []string {
	return []string{mqttlink.StatusOf("+").Topic}
}

func (s *statuses) answer(levels []string, payload []byte, now time.Time) (r result, ok bool) {
	if strings.HasPrefix(levels[0], "$") || len(levels) != 2 || levels[1] != "status" {
		return r, false
	}
	thing := levels[0]
	if string(payload) != mqttlink.StatusOf(thing).Offline || !jobs.ValidThing(thing) {
		return r, true
	}
	d := s.of.get(shadowKey + thing + "/")
	if d == nil || d.Deleted != 0 || d.State.Reported["connected"] != true {
		return r, true
	}
	return s.of.handle(classic(thing), thing, "", shadow.Update, []byte(`{"state":{"reported":{"connected":false}}}`), now), true
}

func (s *statuses) due() time.Time                    { return time.Time{} }
func (s *statuses) work(time.Time) []mqttlink.Message { return nil }
func (s *statuses) reset()                            {}
