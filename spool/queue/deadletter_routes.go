package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"pithings/api"
	"pithings/mqttlink"
)

// DeadLetter is a message that was set aside, without its payload.
type DeadLetter struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time,omitzero" jsonschema:"when it was set aside"`
	Topic    string    `json:"topic"`
	Bytes    int       `json:"bytes" jsonschema:"of the payload"`
	QoS      byte      `json:"qos"`
	Retain   bool      `json:"retain,omitempty"`
	Alarm    bool      `json:"alarm,omitempty"`
	Reason   string    `json:"reason"`
	Sessions int       `json:"sessions,omitempty" jsonschema:"that it ended; 0 if its topic was the reason"`
}

// letterPage is a part of the dead letters of a connection, the latest first.
type letterPage struct {
	DeadLetters []DeadLetter `json:"dead_letters"`
	Count       int          `json:"count" jsonschema:"of all"`
	Unkept      int          `json:"in_memory,omitempty" jsonschema:"further ones that the disk did not take, which end with the process"`
}

// letterIDs names some of them.
type letterIDs struct {
	IDs []string `json:"ids" jsonschema:"1 to 1000 of the list"`
}

// lettersDone is for how many of them something was done.
type lettersDone struct {
	N int `json:"n"`
}

const (
	lettersUsual = 100
	lettersMost  = 1000
)

// Connection is where dead letters come from, and go to once more.
type Connection struct {
	Letters *DeadLetters
	Link    *mqttlink.Link
	// Sync returns when all that the link has accepted is as safe as its outbox makes it.
	Sync func() error
}

// DeadLetterRoutes show the dead letters of the connections, deliver them once more, and delete
// them. of returns the connection of a client id.
func DeadLetterRoutes(of func(id string) (Connection, bool)) []api.Route {
	route := func(method, path string, who api.Audience, doc string, takes, gives any, do func(Connection, *http.Request) (any, error)) api.Route {
		return api.Route{Method: method, Path: queuesPath + "{id}/dead-letters" + path, For: who, Doc: doc, Takes: takes, Gives: gives,
			Handler: api.JSON(func(r *http.Request) (any, error) {
				c, ok := of(r.PathValue("id"))
				if !ok {
					return nil, noQueue(r)
				}
				return do(c, r)
			})}
	}
	list := route(http.MethodGet, "", api.Look, "list dead letters, the latest first", nil, letterPage{}, listLetters)
	list.Params = []api.Param{{Name: "limit", Doc: "how many at most: 1 to 1000", Type: "integer"}, {Name: "skip", Doc: "how many of the latest are left out", Type: "integer"}}
	return []api.Route{
		list,
		route(http.MethodPost, "/show", api.Act, "show a dead letter with its payload", letterIDs{}, Line{}, showLetter),
		route(http.MethodPost, "/retry", api.Act, "put dead letters behind the messages that wait", letterIDs{}, lettersDone{}, retryLetters),
		route(http.MethodPost, "/delete", api.Act, "delete dead letters", letterIDs{}, lettersDone{}, func(c Connection, r *http.Request) (any, error) {
			ids, err := readIDs(r)
			if err != nil {
				return nil, err
			}
			n, err := c.Letters.Delete(ids)
			if err == nil && n == 0 {
				err = errNoLetter
			}
			return lettersDone{n}, err
		}),
	}
}

var errNoLetter = fmt.Errorf("there is no such dead letter any more (%w)", api.Status(http.StatusNotFound))

func listLetters(c Connection, r *http.Request) (any, error) {
	most, err := between(r, "limit", lettersUsual, 1, lettersMost)
	if err != nil {
		return nil, err
	}
	skip, err := between(r, "skip", 0, 0, 1<<30)
	if err != nil {
		return nil, err
	}
	page := letterPage{DeadLetters: []DeadLetter{}, Unkept: len(c.Link.DeadLetters())}
	var last []DeadLetter // as many as may be shown
	err = c.Letters.Each(r.Context(), func(id string, line []byte) error {
		page.Count++
		last = append(last, readLetter(id, line))
		if len(last) >= 2*(skip+most) {
			last = slices.Delete(last, 0, len(last)-skip-most)
		}
		return nil
	})
	last = last[:max(0, len(last)-skip)]
	for _, one := range slices.Backward(last) {
		if len(page.DeadLetters) < most {
			page.DeadLetters = append(page.DeadLetters, one)
		}
	}
	return page, err
}

// readLetter reads a line of dead letters, but for the payload.
func readLetter(id string, line []byte) DeadLetter {
	in := struct {
		Time     string     `json:"time"`
		Topic    string     `json:"topic"`
		Text     textLength `json:"payload"`
		Base64   textLength `json:"payload_base64"`
		QoS      byte       `json:"qos"`
		Retain   bool       `json:"retain"`
		Alarm    bool       `json:"alarm"`
		Reason   string     `json:"reason"`
		Sessions int        `json:"sessions"`
	}{}
	if err := json.Unmarshal(line, &in); err != nil {
		return DeadLetter{ID: id, Bytes: len(line), Reason: "its line in the file cannot be read: " + err.Error()}
	}
	d := DeadLetter{ID: id, Topic: in.Topic, QoS: in.QoS, Retain: in.Retain, Alarm: in.Alarm, Reason: in.Reason, Sessions: in.Sessions}
	d.Bytes = in.Text.bytes + in.Base64.bytes/4*3 - in.Base64.padding
	d.Time, _ = time.Parse(time.RFC3339, in.Time) // zero if it is not known
	return d
}

// textLength is the length of a JSON string, which is not kept: a payload may be large.
type textLength struct{ bytes, padding int }

// UnmarshalJSON implements json.Unmarshaler.
func (n *textLength) UnmarshalJSON(b []byte) error {
	b = bytes.Trim(b, `"`)
	n.padding = len(b) - len(bytes.TrimRight(b, "="))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			n.bytes++
			continue
		}
		if i++; i+4 < len(b) && b[i] == 'u' { // of those that are written so none has a surrogate
			r, _ := strconv.ParseUint(string(b[i+1:i+5]), 16, 16)
			n.bytes += utf8.RuneLen(rune(r))
			i += 4
		} else {
			n.bytes++
		}
	}
	return nil
}

func between(r *http.Request, key string, usual, least, most int) (int, error) {
	text := r.FormValue(key)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s: %.80q is no number from %d to %d (%w)", key, text, least, most, api.Status(http.StatusBadRequest))
	}
	return n, nil
}

func readIDs(r *http.Request) ([]string, error) {
	var in letterIDs
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if len(in.IDs) == 0 || len(in.IDs) > lettersMost {
		return nil, fmt.Errorf("ids: name 1 to %d dead letters (%w)", lettersMost, api.Status(http.StatusBadRequest))
	}
	return in.IDs, nil
}

func showLetter(c Connection, r *http.Request) (any, error) {
	ids, err := readIDs(r)
	if err != nil {
		return nil, err
	}
	if len(ids) > 1 {
		return nil, fmt.Errorf("ids: one at a time is shown (%w)", api.Status(http.StatusBadRequest))
	}
	var shown json.RawMessage
	err = c.Letters.Each(r.Context(), func(id string, line []byte) error {
		if id == ids[0] {
			shown = bytes.Clone(line)
		}
		return nil
	})
	if err == nil && shown == nil {
		err = errNoLetter
	}
	return shown, err
}

// retryLetters puts dead letters into the outbox, and deletes each when it is there: in a crash
// between the two it is delivered and still a dead letter.
func retryLetters(c Connection, r *http.Request) (any, error) {
	ids, err := readIDs(r)
	if err != nil {
		return nil, err
	}
	var done []string
	err = c.Letters.Each(r.Context(), func(id string, line []byte) error {
		if !slices.Contains(ids, id) || slices.Contains(done, id) {
			return nil
		}
		m, err := ParseLine(line)
		if err == nil {
			err = c.Link.Publish(r.Context(), m)
		}
		if err != nil {
			return notRetried(r.Context(), id, err)
		}
		done = append(done, id)
		return nil
	})
	if len(done) > 0 {
		if syncErr := c.Sync(); syncErr != nil {
			return nil, notRetried(r.Context(), done[0], syncErr)
		}
		if _, deleteErr := c.Letters.Delete(done); err == nil {
			err = deleteErr
		}
	}
	if err == nil && len(done) == 0 {
		err = errNoLetter
	}
	return lettersDone{len(done)}, err
}

// notRetried says why a dead letter stays one.
func notRetried(ctx context.Context, id string, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, mqttlink.ErrUnsaved):
		return fmt.Errorf("dead letter %s is delivered, and stays one, because the disk cannot be written: %w", id, err)
	}
	return fmt.Errorf("dead letter %s stays one: %w (%w)", id, err, api.Status(http.StatusConflict))
}
