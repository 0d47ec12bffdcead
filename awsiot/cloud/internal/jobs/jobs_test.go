package jobs

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(1476214217, 0)

func documents(string) json.RawMessage { return json.RawMessage(`{"operation":"reboot"}`) }

// with returns a queue with jobs.
func with(t *testing.T, ids ...string) *Queue {
	t.Helper()
	q := &Queue{Thing: "pi"}
	for _, id := range ids {
		if _, err := q.Add(&Job{ID: id}, documents, start); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

// lines are responses as "topic payload".
func lines(responses []Response) string {
	var b strings.Builder
	for _, r := range responses {
		fmt.Fprintf(&b, "%s %s\n", r.Topic, r.Payload)
	}
	return b.String()
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name, job, op, payload string
		code, says             string
	}{
		{"not JSON", "", Get, `{`, InvalidJSON, ""},
		{"not UTF-8", "", Get, "{\"clientToken\":\"\xff\"}", InvalidJSON, ""},
		{"an array", "", StartNext, `[]`, InvalidRequest, ""},
		{"too large", "", StartNext, `{"x":"` + strings.Repeat("x", maxPayload) + `"}`, InvalidRequest, "bytes"},
		{"token of 65 bytes", "", Get, `{"clientToken":"` + strings.Repeat("x", 65) + `"}`, InvalidRequest, "clientToken"},
		{"a detail is a number", "", StartNext, `{"statusDetails":{"a":1}}`, InvalidRequest, "statusDetails"},
		{"a detail is empty", "", StartNext, `{"statusDetails":{"a":""}}`, InvalidRequest, "statusDetails"},
		{"a detail of 1,025 characters", "", StartNext, `{"statusDetails":{"a":"` + strings.Repeat("ä", 1025) + `"}}`, InvalidRequest, "statusDetails"},
		{"a detail with a newline", "", StartNext, `{"statusDetails":{"a":"b\nc"}}`, InvalidRequest, "control"},
		{"a detail with a space in its name", "", StartNext, `{"statusDetails":{"a b":"c"}}`, InvalidRequest, "statusDetails"},
		{"step time-out of 8 days", "", StartNext, `{"stepTimeoutInMinutes":11520}`, InvalidRequest, "stepTimeoutInMinutes"},
		{"step time-out of 0", "", StartNext, `{"stepTimeoutInMinutes":0}`, InvalidRequest, "stepTimeoutInMinutes"},
		{"unknown job", "c", Describe, `{}`, ResourceNotFound, "c"},
		{"another execution", "a", Describe, `{"executionNumber":7}`, ResourceNotFound, "a"},
		{"ended job", "done", Describe, `{}`, TerminalStateReached, "SUCCEEDED"},
		{"no status", "a", Update, `{}`, InvalidRequest, "status"},
		{"status QUEUED", "a", Update, `{"status":"QUEUED"}`, InvalidRequest, "status"},
		{"status TIMED_OUT", "a", Update, `{"status":"TIMED_OUT"}`, InvalidRequest, "status"},
		{"status is a number", "a", Update, `{"status":1}`, InvalidRequest, "types"},
		{"update of an unknown job", "c", Update, `{"status":"IN_PROGRESS"}`, ResourceNotFound, "c"},
		{"update of an ended job", "done", Update, `{"status":"IN_PROGRESS"}`, InvalidStateTransition, `"executionState":{"status":"SUCCEEDED","versionNumber":2}`},
		{"another version", "a", Update, `{"status":"IN_PROGRESS","expectedVersion":2}`, VersionMismatch, `"executionState":{"status":"QUEUED","versionNumber":1}`},
		{"another version as a text", "a", Update, `{"status":"IN_PROGRESS","expectedVersion":"2"}`, VersionMismatch, `"executionState":{"status":"QUEUED","versionNumber":1}`},
		{"version is no number", "a", Update, `{"status":"IN_PROGRESS","expectedVersion":"two"}`, InvalidRequest, "expectedVersion"},
	} {
		t.Run(row.name, func(t *testing.T) {
			q := with(t, "done", "a", "b")
			q.Handle("done", Update, []byte(`{"status":"SUCCEEDED"}`), documents, start)
			before, _ := json.Marshal(q)
			got := q.Handle(row.job, row.op, []byte(row.payload), documents, start)
			topic := strings.TrimPrefix(row.job+"/"+row.op+"/rejected", "/")
			if len(got) != 1 || got[0].Topic != topic || !strings.HasPrefix(string(got[0].Payload), `{"code":"`+row.code+`"`) || !strings.Contains(string(got[0].Payload), row.says) {
				t.Errorf("%s", lines(got))
			}
			if after, _ := json.Marshal(q); string(after) != string(before) {
				t.Errorf("the queue has changed:\n%s\n%s", before, after)
			}
		})
	}
}

// The token of a request that is refused comes back if it can be read.
func TestTokenOfARefusal(t *testing.T) {
	got := lines(with(t, "a").Handle("a", Update, []byte(`{"status":1,"clientToken":"x"}`), documents, start))
	if !strings.Contains(got, `"clientToken":"x"`) {
		t.Error(got)
	}
}

func TestTimers(t *testing.T) {
	q := with(t)
	if _, err := q.Add(&Job{ID: "a", Minutes: 10}, documents, start); err != nil {
		t.Fatal(err)
	}
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	if q.Deadline() != 0 || q.Expire(documents, at(1000)) != nil {
		t.Error("a queued job times out")
	}
	for _, row := range []struct {
		minute   int
		payload  string
		deadline int
	}{
		{0, `{"status":"IN_PROGRESS"}`, 10},
		{1, `{"status":"IN_PROGRESS","stepTimeoutInMinutes":2}`, 3},
		{2, `{"status":"IN_PROGRESS"}`, 3},
		{2, `{"status":"IN_PROGRESS","stepTimeoutInMinutes":5}`, 7},
		{3, `{"status":"IN_PROGRESS","stepTimeoutInMinutes":100}`, 10},
		{4, `{"status":"IN_PROGRESS","stepTimeoutInMinutes":-1}`, 10},
		{5, `{"status":"IN_PROGRESS","stepTimeoutInMinutes":1}`, 6},
	} {
		q.Handle("a", Update, []byte(row.payload), documents, at(row.minute))
		if got := time.Unix(q.Deadline(), 0); !got.Equal(at(row.deadline)) {
			t.Errorf("minute %d, %s: times out at %v", row.minute, row.payload, got.Sub(start))
		}
	}
	if got := lines(q.Handle("a", Describe, nil, documents, at(5).Add(20*time.Second))); !strings.Contains(got, `"approximateSecondsBeforeTimedOut":40`) {
		t.Error(got)
	}
	if got := q.Expire(documents, at(6).Add(-time.Second)); got != nil {
		t.Errorf("too early: %s", lines(got))
	}
	want := "notify {\"jobs\":{},\"timestamp\":1476214577}\nnotify-next {\"timestamp\":1476214577}\n"
	if got := lines(q.Expire(documents, at(6))); got != want || q.Status("a") != TimedOut || q.Deadline() != 0 {
		t.Errorf("%s is %s", got, q.Status("a"))
	}
}

// Random requests, commands and passing of time, on a queue that is stored in between: the
// next execution is the oldest in progress or the oldest queued; each change counts the
// version up by one; what has ended stays; each change of the pending ones and of the next
// one is notified, and nothing else.
func TestRandomRequests(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	statuses := []Status{InProgress, Succeeded, Failed, Rejected}
	for range 200 {
		q, now, added := with(t), start, 0
		for range 60 {
			now = now.Add(time.Duration(r.IntN(90)) * time.Second)
			record, err := json.Marshal(q)
			if err != nil {
				t.Fatal(err)
			}
			before, after := new(Queue), new(Queue)
			if json.Unmarshal(record, before) != nil || json.Unmarshal(record, after) != nil {
				t.Fatal(string(record))
			}
			q = after
			id := fmt.Sprint("j", r.IntN(added+1))
			var got []Response
			refused := false
			switch r.IntN(8) {
			case 0, 1:
				got, err = q.Add(&Job{ID: fmt.Sprint("j", added), Minutes: r.IntN(2) * 3}, documents, now)
				if added++; err != nil {
					t.Fatal(err)
				}
			case 2:
				got = q.Cancel(id, r.IntN(2) == 0, documents, now)
			case 3:
				got = q.Expire(documents, now)
			case 4:
				got = q.Handle("", StartNext, []byte(`{"stepTimeoutInMinutes":2}`), documents, now)
			case 5:
				got = q.Handle("", Get, nil, documents, now)
			default:
				version := ""
				if e := q.find(id, 0); e != nil && r.IntN(2) == 0 {
					version = fmt.Sprintf(`,"expectedVersion":"%d"`, e.Version-int64(r.IntN(2)))
				}
				got = q.Handle(id, Update, fmt.Appendf(nil, `{"status":%q%s}`, statuses[r.IntN(4)], version), documents, now)
				refused = strings.HasSuffix(got[0].Topic, "/rejected")
			}
			checkStep(t, before, q, got, refused)
		}
	}
}

func checkStep(t *testing.T, before, after *Queue, got []Response, refused bool) {
	t.Helper()
	pending := func(q *Queue) (p []string, next string) {
		var progress, queued []string
		for _, e := range q.Executions {
			switch e.Status {
			case InProgress:
				progress = append(progress, e.JobID)
			case Queued:
				queued = append(queued, e.JobID)
			}
		}
		if p = append(progress, queued...); len(p) > 0 {
			next = p[0]
		}
		slices.Sort(p)
		return p, next
	}
	for i, e := range before.Executions {
		now := after.Executions[i]
		changed := e.Status != now.Status || e.Updated != now.Updated && e.Version != now.Version
		switch {
		case e.Status.ended() && (now.Status != e.Status || now.Version != e.Version):
			t.Fatalf("%s was %s, and is %s", e.JobID, e.Status, now.Status)
		case e.Status == InProgress && now.Status == Queued:
			t.Fatalf("%s is queued again", e.JobID)
		case changed && (refused || now.Version != e.Version+1), !changed && now.Version > e.Version+1:
			t.Fatalf("%s: version %d became %d, refused %v", e.JobID, e.Version, now.Version, refused)
		}
	}
	was, wasNext := pending(before)
	is, isNext := pending(after)
	var topics []string
	for _, r := range got {
		if !json.Valid(r.Payload) {
			t.Fatalf("%s", lines(got))
		}
		topics = append(topics, r.Topic)
	}
	if slices.Contains(topics, "notify") == slices.Equal(was, is) {
		t.Fatalf("pending %v became %v: %s", was, is, lines(got))
	}
	if slices.Contains(topics, "notify-next") == (wasNext == isNext) {
		t.Fatalf("the next %q became %q: %s", wasNext, isNext, lines(got))
	}
	for _, r := range got {
		if r.Topic != "notify-next" {
			continue
		}
		var m struct {
			Execution *struct {
				JobID string `json:"jobId"`
			} `json:"execution"`
		}
		if json.Unmarshal(r.Payload, &m) != nil || (m.Execution == nil) != (isNext == "") || m.Execution != nil && m.Execution.JobID != isNext {
			t.Fatalf("the next is %q: %s", isNext, r.Payload)
		}
	}
}

func TestBounds(t *testing.T) {
	q := with(t)
	for i := range MaxPending {
		if _, err := q.Add(&Job{ID: strings.Repeat("x", 60) + fmt.Sprint(i)}, documents, start); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Add(&Job{ID: "more"}, documents, start); err == nil {
		t.Errorf("more than %d are pending", MaxPending)
	}
	if got := q.Handle("", Get, nil, documents, start); len(got[0].Payload) > 128<<10 {
		t.Errorf("a list of %d bytes, which AWS's brokers do not take", len(got[0].Payload))
	}
	for i, e := range q.Executions[:KeepEnded+5] {
		e.set(Canceled, start.Add(time.Duration(i)*time.Second))
	}
	if gone := q.Trim(); len(gone) != 5 || gone[4] != strings.Repeat("x", 60)+"4" || len(q.Executions) != MaxPending-5 {
		t.Errorf("%v are gone, %d are left", gone, len(q.Executions))
	}
}

func TestCheck(t *testing.T) {
	good := Job{ID: "a-B_9", Document: json.RawMessage(`{"a":1}`), Targets: []string{"pi:1"}}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Job){
		"no id":             func(j *Job) { j.ID = "" },
		"id of 65":          func(j *Job) { j.ID = strings.Repeat("x", 65) },
		"id with a slash":   func(j *Job) { j.ID = "a/b" },
		"document of 32 KB": func(j *Job) { j.Document = json.RawMessage(`{"a":"` + strings.Repeat("x", 32<<10) + `"}`) },
		"document no JSON":  func(j *Job) { j.Document = json.RawMessage(`{`) },
		"document null":     func(j *Job) { j.Document = json.RawMessage(`null`) },
		"document a list":   func(j *Job) { j.Document = json.RawMessage(`[]`) },
		"no thing":          func(j *Job) { j.Targets = nil },
		"101 things":        func(j *Job) { j.Targets = slices.Repeat([]string{"a"}, 101) },
		"thing with a plus": func(j *Job) { j.Targets = []string{"+"} },
		"8 days":            func(j *Job) { j.Minutes = 8 * 24 * 60 },
	} {
		j := good
		if change(&j); j.Check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzHandle(f *testing.F) {
	f.Add("", StartNext, `{"statusDetails":{"a":"b"},"stepTimeoutInMinutes":2,"clientToken":"x"}`)
	f.Add("a", Update, `{"status":"IN_PROGRESS","expectedVersion":"1","includeJobExecutionState":true,"includeJobDocument":true}`)
	f.Add("$next", Describe, `{"executionNumber":1,"includeJobDocument":false}`)
	f.Fuzz(func(t *testing.T, job, op, payload string) {
		q := with(t, "a", "b")
		for _, r := range q.Handle(job, op, []byte(payload), documents, start) {
			if !json.Valid(r.Payload) {
				t.Fatalf("%s: %s", r.Topic, r.Payload)
			}
		}
		if len(q.Executions) != 2 {
			t.Fatal("a request has changed how many executions there are")
		}
	})
}
