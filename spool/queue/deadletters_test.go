package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
)

// letterRig is a connection that is offline, with its outbox and dead letters.
type letterRig struct {
	*rig
	Connection
	box *outbox.Disk
	mux *http.ServeMux
}

func newLetterRig(t *testing.T) *letterRig {
	r := &letterRig{rig: newRig(t), mux: http.NewServeMux()}
	r.box = r.open("", "a")
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.Outbox = "mqtt://127.0.0.1:1", r.box
	link, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Connection = Connection{NewDeadLetters(r.state.QueueDir("a")), link, r.box.Sync}
	for _, route := range DeadLetterRoutes(func(id string) (Connection, bool) { return r.Connection, id == "a" }) {
		if err := route.Check(); err != nil {
			t.Fatal(err)
		}
		r.mux.Handle(route.Pattern(), route.Handler)
	}
	return r
}

func (r *letterRig) keep(topic string, payload []byte, at time.Time) {
	r.Helper()
	if err := r.Letters.Keep(mqttlink.DeadLetter{Message: mqttlink.Message{Topic: topic, Payload: payload, QoS: 1, Alarm: true}, Time: at, Reason: "the broker closes the connection", Sessions: 3}); err != nil {
		r.Fatal(err)
	}
}

func (r *letterRig) ask(method, path, body string, out any) (status int, text string) {
	r.Helper()
	w := httptest.NewRecorder()
	r.mux.ServeHTTP(w, httptest.NewRequest(method, "/api/v1/queues/"+path, strings.NewReader(body)))
	if out != nil && w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			r.Fatalf("%s: %v: %s", path, err, w.Body)
		}
	}
	return w.Code, w.Body.String()
}

func (r *letterRig) list(query string) (p letterPage) {
	r.Helper()
	if status, text := r.ask("GET", "a/dead-letters"+query, "", &p); status != http.StatusOK {
		r.Fatalf("%d %s", status, text)
	}
	return p
}

// Dead letters are listed without their payloads, the latest first, shown, put behind the messages
// that wait, and deleted.
func TestDeadLetters(t *testing.T) {
	r := newLetterRig(t)
	began := time.UnixMilli(1581417910123)
	payloads := [][]byte{[]byte(`{"a": "ä\n"}`), {0xff, 0, 1, 2}, {0xff, 0}, []byte("\u2028x"), {}}
	for i, p := range payloads {
		r.keep(fmt.Sprint("t/", i), p, began.Add(time.Duration(i)*time.Second))
	}
	all := r.list("")
	if len(all.DeadLetters) != 5 || all.Count != 5 {
		t.Fatalf("%+v", all)
	}
	for i, d := range all.DeadLetters {
		n := 4 - i
		if d.Topic != fmt.Sprint("t/", n) || d.Bytes != len(payloads[n]) || !d.Time.Equal(began.Add(time.Duration(n)*time.Second)) || d.Reason == "" || d.Sessions != 3 || d.QoS != 1 || !d.Alarm {
			t.Errorf("%d: %+v", n, d)
		}
	}
	if p := r.list("?limit=2&skip=1"); len(p.DeadLetters) != 2 || p.DeadLetters[0].Topic != "t/3" || p.DeadLetters[1].Topic != "t/2" || p.Count != 5 {
		t.Errorf("a page: %+v", p)
	}
	if p := r.list("?skip=5"); len(p.DeadLetters) != 0 || p.Count != 5 {
		t.Errorf("behind the last: %+v", p)
	}
	ids := func(is ...int) string {
		var of letterIDs
		for _, i := range is {
			of.IDs = append(of.IDs, all.DeadLetters[4-i].ID)
		}
		b, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var shown Line
	if status, text := r.ask("POST", "a/dead-letters/show", ids(0), &shown); status != http.StatusOK || shown.Payload == nil || *shown.Payload != string(payloads[0]) {
		t.Errorf("shown: %d %s", status, text)
	}
	var done lettersDone
	if status, text := r.ask("POST", "a/dead-letters/delete", ids(2, 4), &done); status != http.StatusOK || done.N != 2 {
		t.Errorf("deleted: %d %s", status, text)
	}
	if status, text := r.ask("POST", "a/dead-letters/retry", ids(1, 0), &done); status != http.StatusOK || done.N != 2 {
		t.Errorf("retried: %d %s", status, text)
	}
	if p := r.list(""); p.Count != 1 || p.DeadLetters[0].Topic != "t/3" {
		t.Errorf("left: %+v", p)
	}
	var waiting []string
	for pos := uint64(0); ; {
		m, ok, err := r.box.Next(pos)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		i := len(waiting)
		if m.QoS != 1 || m.Class != outbox.Alarm || !bytes.Equal(m.Payload, payloads[i]) {
			t.Errorf("waiting: %+v", m)
		}
		waiting = append(waiting, m.Topic)
		pos = m.Seq + 1
	}
	if got := strings.Join(waiting, " "); got != "t/0 t/1" {
		t.Errorf("%s wait", got)
	}
	for _, tc := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "a/dead-letters/retry", ids(0), 404}, {"POST", "a/dead-letters/delete", ids(0), 404}, {"POST", "a/dead-letters/show", ids(0), 404},
		{"POST", "a/dead-letters/show", ids(3, 3), 400}, {"POST", "a/dead-letters/delete", `{"ids": []}`, 400}, {"POST", "a/dead-letters/delete", `{}`, 400},
		{"POST", "a/dead-letters/delete", `{"ids": [` + strings.Repeat(`"x",`, 1000) + `"x"]}`, 400}, {"POST", "a/dead-letters/retry", `[1]`, 400},
		{"GET", "a/dead-letters?limit=0", "", 400}, {"GET", "a/dead-letters?limit=1001", "", 400}, {"GET", "a/dead-letters?skip=-1", "", 400},
		{"GET", "b/dead-letters", "", 404}, {"POST", "b/dead-letters/retry", ids(3), 404},
	} {
		if status, text := r.ask(tc.method, tc.path, tc.body, nil); status != tc.status {
			t.Errorf("%s %s %.40s: %d %s, want %d", tc.method, tc.path, tc.body, status, text, tc.status)
		}
	}
}

// One that the link refuses stays a dead letter, and those before it are gone.
func TestDeadLetterThatIsRefused(t *testing.T) {
	r := newLetterRig(t)
	r.keep("good", []byte("x"), time.UnixMilli(1000))
	r.keep("a/#", []byte("x"), time.UnixMilli(2000))
	p := r.list("")
	status, text := r.ask("POST", "a/dead-letters/retry", fmt.Sprintf(`{"ids": [%q, %q]}`, p.DeadLetters[0].ID, p.DeadLetters[1].ID), nil)
	if status != http.StatusConflict || !strings.Contains(text, p.DeadLetters[0].ID) || !strings.Contains(text, "wildcard") {
		t.Errorf("%d %s", status, text)
	}
	if p := r.list(""); p.Count != 1 || p.DeadLetters[0].Topic != "a/#" || r.box.Len() != 1 {
		t.Errorf("%+v, %d wait", p, r.box.Len())
	}
}

// The files may be damaged, turn, and change while they are read.
func TestDeadLetterFiles(t *testing.T) {
	r := newLetterRig(t)
	if n, err := r.Letters.Delete([]string{"x"}); n != 0 || err != nil {
		t.Errorf("without files: %d, %v", n, err)
	}
	r.keep("first", bytes.Repeat([]byte("x"), deadLettersMost), time.UnixMilli(1000))
	r.keep("second", []byte("x"), time.UnixMilli(2000)) // in another file
	name := filepath.Join(r.state.QueueDir("a"), DeadLettersName)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString("no JSON\n{\"topic\": \"torn")
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := r.list("")
	if p.Count != 3 || p.DeadLetters[0].Topic != "" || !strings.Contains(p.DeadLetters[0].Reason, "cannot be read") || p.DeadLetters[1].Topic != "second" || p.DeadLetters[2].Bytes != deadLettersMost {
		t.Fatalf("%+v", p)
	}
	r.keep("behind the torn one", []byte("y"), time.UnixMilli(2500))
	if p := r.list("?limit=2"); p.DeadLetters[0].Topic != "behind the torn one" || !strings.Contains(p.DeadLetters[1].Reason, "cannot be read") {
		t.Errorf("%+v", p)
	}
	if n, err := r.Letters.Delete([]string{p.DeadLetters[2].ID, p.DeadLetters[0].ID}); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(r.state.QueueDir("a"), deadLettersOld)); err == nil {
		t.Error("the older file has nothing any more, and is there")
	}
	if CountDeadLetters(r.state.QueueDir("a")) != 3 {
		t.Error("the count is another")
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range 50 {
			r.keep(fmt.Sprint("n/", i), []byte("y"), time.UnixMilli(int64(3000+i)))
		}
	})
	for left := true; left; {
		p := r.list("?limit=1")
		if len(p.DeadLetters) == 0 {
			break
		}
		if n, err := r.Letters.Delete([]string{p.DeadLetters[0].ID}); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
			left = false
		}
	}
	wait.Wait()
}
