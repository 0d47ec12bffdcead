package shadow

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// Response is what the service publishes on a topic that ends so: "update/accepted".
type Response struct {
	Topic   string
	Payload []byte
}

// The requests that there are, each the end of its topic.
const (
	Get    = "get"
	Update = "update"
	Delete = "delete"
)

// Handle answers a request. The shadow d is nil if there has never been one; name is what
// errors call it: its own name, or the thing's for a classic one. next is the shadow after
// the request, d itself if it has not changed.
func Handle(d *Document, name, request string, payload []byte, now time.Time) (next *Document, responses []Response) {
	switch request {
	case Get:
		return d, d.get(name, payload, now)
	case Update:
		return d.update(payload, now)
	}
	return d.remove(name, payload, now)
}

// response is the content of all responses but documents and errors.
type response struct {
	State    any   `json:"state,omitempty"`
	Metadata any   `json:"metadata,omitempty"`
	Version  int64 `json:"version"`
	Time     int64 `json:"timestamp"`
	Token    any   `json:"clientToken,omitempty"`
}

// current is the state in an answer to get.
type current struct {
	Parts
	Delta Tree `json:"delta,omitempty"`
}

func (d *Document) get(name string, payload []byte, now time.Time) []Response {
	token, err := parseToken(payload)
	if err == nil && !d.exists() {
		err = notFound(name)
	}
	if err != nil {
		return []Response{Rejected(Get, err, token, now)}
	}
	delta, _ := differ(d.State.Desired, d.State.Reported, d.Meta.Desired)
	return []Response{respond("get/accepted", response{current{d.State, delta}, d.Meta, d.Version, now.Unix(), token})}
}

func (d *Document) update(payload []byte, now time.Time) (*Document, []Response) {
	r, err := parseUpdate(payload)
	if err == nil && r.locked && r.version != d.version(now) {
		err = errConflict
	}
	if err != nil {
		return d, []Response{Rejected(Update, err, r.token, now)}
	}
	next, meta := d.updated(r, now)
	if next.State.size() > MaxState {
		return d, []Response{Rejected(Update, errTooLarge, r.token, now)}
	}
	responses := []Response{respond("update/accepted", response{r.state, meta, next.Version, now.Unix(), r.token})}
	if delta, meta := differ(next.State.Desired, next.State.Reported, next.Meta.Desired); delta != nil {
		responses = append(responses, respond("update/delta", response{delta, meta, next.Version, now.Unix(), r.token}))
	}
	return next, append(responses, respond("update/documents", documents{d.snapshot(), next.snapshot(), now.Unix(), r.token}))
}

// documents is the content of the topic documents.
type documents struct {
	Previous *snapshot `json:"previous,omitempty"`
	Current  *snapshot `json:"current"`
	Time     int64     `json:"timestamp"`
	Token    any       `json:"clientToken,omitempty"`
}

// updated returns the document after an update, and the metadata of what it named.
func (d *Document) updated(r request, now time.Time) (next *Document, named Tree) {
	next = &Document{Version: d.version(now) + 1}
	if d.exists() {
		next.State, next.Meta = d.State, d.Meta
	}
	stamp := Tree{"timestamp": json.Number(strconv.FormatInt(now.Unix(), 10))}
	named = Tree{}
	for _, section := range []struct {
		key         string
		state, meta *Tree
	}{{"desired", &next.State.Desired, &next.Meta.Desired}, {"reported", &next.State.Reported, &next.Meta.Reported}} {
		value, given := r.state[section.key]
		if !given {
			continue
		}
		named[section.key] = stamped(value, stamp)
		if patch, ok := value.(Tree); ok && len(patch) > 0 {
			*section.state, *section.meta = merge(*section.state, *section.meta, patch, stamp)
		} else if !ok {
			*section.state, *section.meta = nil, nil
		}
	}
	return next, named
}

func (d *Document) remove(name string, payload []byte, now time.Time) (*Document, []Response) {
	token, _ := parseToken(payload) // "the content of the message is ignored"
	if !d.exists() {
		return d, []Response{Rejected(Delete, notFound(name), token, now)}
	}
	next := &Document{Version: d.Version, Deleted: max(1, now.Unix())}
	return next, []Response{respond("delete/accepted", response{Version: d.Version, Time: now.Unix(), Token: token})}
}

func notFound(name string) *Error {
	return &Error{404, "No shadow exists with name: '" + name + "'"}
}

// Rejected is the answer to a request that is refused.
func Rejected(request string, err *Error, token any, now time.Time) Response {
	return respond(request+"/rejected", struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Time    int64  `json:"timestamp"`
		Token   any    `json:"clientToken,omitempty"`
	}{err.Code, err.Message, now.Unix(), token})
}

// Token returns the token of a request, or nil, for a refusal before it is handled.
func Token(payload []byte) any {
	token, _ := parseToken(payload)
	return token
}

func respond(topic string, content any) Response {
	return Response{topic, encode(content)}
}

// encode is json.Marshal, but for < > and &, which stay as they are.
func encode(content any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(content); err != nil { // nothing in it came from elsewhere than a decoder
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
