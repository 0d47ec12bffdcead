package api

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// problem is how an error with a status travels.
func problem(status int, title, detail string) string {
	return fmt.Sprintf(`{"title":%q,"status":%d,"detail":%q,"error":"%s (%s)"}`+"\n", title, status, detail, detail, title)
}

// Errors travel with their status, and a body that is no JSON value is the client's mistake.
func TestJSON(t *testing.T) {
	h := JSON(func(r *http.Request) (any, error) {
		var in struct{ N int }
		if err := Decode(r, &in); err != nil {
			return nil, err
		}
		switch in.N {
		case 1:
			return nil, fmt.Errorf("no such thing (%w)", Status(http.StatusNotFound))
		case 2:
			return nil, errors.New("it failed")
		}
		return in.N * 2, nil
	})
	for body, want := range map[string]string{
		`{"N": 21}`:     "200 42\n",
		`{"N": 1}`:      "404 " + problem(404, "Not Found", "no such thing"),
		`{"N": 2}`:      `500 {"title":"Internal Server Error","status":500,"detail":"it failed","error":"it failed"}` + "\n",
		`{"N": "x"}`:    "400 " + problem(400, "Bad Request", "the request: json: cannot unmarshal string into Go struct field .N of type int"),
		``:              "400 " + problem(400, "Bad Request", "the request: EOF"),
		`{"N": 21} x`:   "400 " + problem(400, "Bad Request", "the request: there is more behind the JSON value"),
		"{\"N\": 21}\n": "200 42\n",
		`{"N`:           "400 " + problem(400, "Bad Request", "the request: unexpected EOF"),
		`{"N": "` + strings.Repeat("x", MaxBody) + `"}`: "413 " + problem(413, "Request Entity Too Large", "the request: http: request body too large"),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(body)))
		text, err := io.ReadAll(w.Result().Body)
		if w.Code >= 400 && w.Header().Get("Content-Type") != ProblemType {
			t.Errorf("%.20q: %q", body, w.Header())
		}
		if got := fmt.Sprintf("%d %s", w.Code, text); err != nil || got != want {
			t.Errorf("%.20q: %q, %v; want %q", body, got, err, want)
		}
	}
}

// What JSON cannot hold is an error, and not an empty answer.
func TestJSONOfWhatItCannotHold(t *testing.T) {
	w := httptest.NewRecorder()
	JSON(func(*http.Request) (any, error) { return math.NaN(), nil }).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), `"error"`) {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// What has no route is a problem, too, and other paths are answered as ever.
func TestUnrouted(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /api/v1/things", JSON(func(*http.Request) (any, error) { return "here", nil }))
	mux.Handle("GET /pictures/", http.NotFoundHandler())
	h := Unrouted(mux)
	for request, want := range map[string]string{
		"GET /api/v1/things":  `200 application/json "here"`,
		"GET /api/v1/thing":   `404 application/problem+json {"title":"Not Found","status":404,"detail":"` + NoSuchPath + `","error":"` + NoSuchPath + `"}`,
		"POST /api/v1/things": `405 application/problem+json {"title":"Method Not Allowed","status":405,"detail":"the path is there for GET, HEAD only","error":"the path is there for GET, HEAD only"}`,
		"GET /pictures/x":     "404 text/plain; charset=utf-8 404 page not found",
		"GET /other":          "404 text/plain; charset=utf-8 404 page not found",
	} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if got := fmt.Sprintf("%d %s %s", w.Code, w.Header().Get("Content-Type"), strings.TrimSpace(w.Body.String())); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
		if allow := w.Header().Get("Allow"); (w.Code == http.StatusMethodNotAllowed) != (allow == "GET, HEAD") {
			t.Errorf("%s: Allow %q", request, allow)
		}
	}
}

// A route needs an audience, and what acts is a POST.
func TestRouteCheck(t *testing.T) {
	ok := http.NotFoundHandler()
	for name, tc := range map[string]struct {
		r    Route
		want string
	}{
		"whole":         {Route{Method: "GET", Path: "/x", Doc: "show x", For: Look, Handler: ok}, ""},
		"socket":        {Route{Method: "POST", Path: "/x", Doc: "change x", For: Owner, Handler: ok}, ""},
		"no audience":   {Route{Method: "GET", Path: "/x", Doc: "show x", For: 0, Handler: ok}, "no audience"},
		"no such":       {Route{Method: "GET", Path: "/x", Doc: "show x", For: Owner + 1, Handler: ok}, "no audience"},
		"a monitor":     {Route{Method: "POST", Path: "/x", Doc: "change x", For: Monitors, Handler: ok}, "monitors change nothing"},
		"GET that acts": {Route{Method: "GET", Path: "/x", Doc: "change x", For: Act, Handler: ok}, "is a POST"},
		"GET marked":    {Route{Method: "GET", Path: "/x", Doc: "change x", For: Act, Changes: true, Handler: ok}, ""},
		"marked look":   {Route{Method: "GET", Path: "/x", Doc: "change x", For: Look, Changes: true, Handler: ok}, "change nothing"},
		"act":           {Route{Method: "POST", Path: "/x", Doc: "change x", For: Act, Handler: ok}, ""},
		"other method":  {Route{Method: "DELETE", Path: "/x", Doc: "change x", For: Owner, Handler: ok}, "neither GET nor POST"},
		"relative":      {Route{Method: "GET", Path: "x", Doc: "show x", For: Owner, Handler: ok}, "begin with /"},
		"no doc":        {Route{Method: "GET", Path: "/x", Doc: "", For: Owner, Handler: ok}, "no description"},
		"no handler":    {Route{Method: "GET", Path: "/x", Doc: "show x", For: Owner, Handler: nil}, "no handler"},
	} {
		if err := tc.r.Check(); (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	var m Metrics
	m.Family("x_total", "counter", "How many.")
	m.Sample(1.5, "a", "b\"\\\n", "c", "")
	m.Sample(Bool(true))
	const want = "# HELP x_total How many.\n# TYPE x_total counter\nx_total{a=\"b\\\"\\\\\\n\",c=\"\"} 1.5\nx_total 1\n"
	if m.String() != want {
		t.Errorf("%q, want %q", m.String(), want)
	}
}
