package flowhost

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"pithings/flow"
)

// asked is a web server that notes what it is asked.
type asked struct {
	*httptest.Server
	mu   sync.Mutex
	list []string
}

func newAsked(t *testing.T) *asked {
	a := &asked{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		a.list = append(a.list, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL, body)))
		a.mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/gauge") {
			fmt.Fprint(w, `{"gauge": 9, "errorCode": 200, "unit": "bar"}`)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/letter") {
			fmt.Fprint(w, `{"text": "Dear all", "size": 8}`)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/hour") {
			fmt.Fprint(w, `20`)
			return
		}
		fmt.Fprint(w, `0`)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *asked) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := slices.Clone(a.list)
	slices.Sort(list)
	return list
}

// atAWS is a workflow with what runs at AWS only: a Lambda function, a request that
// AWS signs, and a service whose document is not there (as in the public exports).
const atAWS = `
query Feed($unused: string = "") @workflowType(id: "urn:tdm:eu-west-1/1/default:Workflow:Feed") {
  variables { n @property(id: "urn:tdm:aws:Property:Json") }
  steps {
    step(name: "Function", outEvent: ["a"]) { WebserviceActivity(webservice: "urn:tdm:eu-west-1/1/default:Service:Ingest", out: "n") { ingest(kind: "baby") } }
    step(name: "Signed", inEvent: ["a"], outEvent: ["b"]) { WebserviceActivity(webservice: "urn:tdm:eu-west-1/1/default:Service:Topic") { publish(message: "a b") } }
    step(name: "Nowhere", inEvent: ["b"]) { WebserviceActivity(webservice: "urn:tdm:eu-west-1/1/default:Service:PlayMusic") { play(file: "x.mp3", volume: 7) } }
  }
}
query Ingest @service(id: "urn:tdm:eu-west-1/1/default:Service:Ingest") { AwsLambda { C(id: "urn:tdm:eu-west-1/1/default:capability:C") { Action(name: "ingest") {
  params { param(name: "kind", property: "urn:tdm:aws:Property:String") }
  InvokeCloudLambda { Request(arn: "arn:aws:lambda:eu-west-1:1:function:ingest") { params { param(name: "kind", property: "urn:tdm:aws:Property:String", value: "${kind.value}") } }
  Response { responsePayload(property: "urn:tdm:aws:Property:Json") } } } } } }
query Topic @service(id: "urn:tdm:eu-west-1/1/default:Service:Topic") { REST { C(id: "urn:tdm:eu-west-1/1/default:capability:C") { Action(name: "publish") {
  params { param(name: "message", property: "urn:tdm:aws:Property:String") }
  HttpPost { Request(url: "https://sns.eu-west-1.amazonaws.com/1/topic", auth: "SigV4", awsServiceName: "sns") {
    queryParams { param(name: "Message", property: "urn:tdm:aws:Property:String", value: "${message.value}") } } } } } } }
type Feed @systemType(id: "urn:tdm:eu-west-1/1/default:System:Feed", description: "") { Feed: Flow @workflow(id: "urn:tdm:eu-west-1/1/default:Workflow:Feed") }
query Feed @deployment(id: "urn:tdm:eu-west-1/1/default:Deployment:Feed", systemId: "urn:tdm:eu-west-1/1/default:System:Feed") { triggers { ignore: void } }
`

// A URL of one's own for what ran at AWS is called: from documents, from the YAML
// that import writes, and after a restart. Before, the option only silenced the
// refusal, so every flow set found outside the guide failed when it ran.
func TestServiceAtAURLOfOnesOwn(t *testing.T) {
	a := newAsked(t)
	o := Options{Services: map[string]string{"Ingest": a.URL + "/in/{action}", "urn:tdm:eu-west-1/1/default:service:topic": a.URL + "/sns", "PlayMusic": a.URL}}
	want := []string{
		`POST / {"file":"x.mp3","volume":7}`,
		`POST /in/ingest {"kind":"baby"}`,
		`POST /sns/1/topic?Message=a+b`,
	}
	files := []File{{"feed.graphql", atAWS}}
	made, needs, _, err := Import(files, o)
	if err != nil || len(needs) > 0 || len(made) != 1 {
		t.Fatalf("%v, %v, %v", made, needs, err)
	}
	plain, _, _, err := Import(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		request DeployRequest
	}{
		{"documents", DeployRequest{Files: files, Options: o}},
		{"what import wrote", DeployRequest{Files: made, Options: Options{}}},
		{"YAML that was imported without", DeployRequest{Files: plain, Options: o}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.mu.Lock()
			a.list = nil
			a.mu.Unlock()
			h := newHouse(t)
			h.open()
			for n := range 2 {
				h.f.p.Services.AllowNets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
				h.run()
				if n == 0 {
					if _, err := h.f.Deploy(t.Context(), tt.request); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := h.f.Start(t.Context(), StartRequest{Deployment: "Feed"}); err != nil {
					t.Fatal(err)
				}
				if x := h.ended(n + 1)[0]; x.Status != flow.Succeeded {
					t.Fatalf("%+v", x)
				}
				if n == 0 {
					if got := a.all(); !slices.Equal(got, want) {
						t.Errorf("the server was asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
					if err := h.f.Close(); err != nil {
						t.Fatal(err)
					}
					h.f = nil
					h.open()
				}
			}
			if got := a.all(); len(got) != 2*len(want) {
				t.Errorf("after a restart it was asked %v", got)
			}
		})
	}
	for service, says := range map[string]string{
		"Ingest=ftp://host":         "write http://HOST/PATH",
		"Ingest=http://u:p@host/":   "a user does not belong into it",
		"Ingest=http://host/${n}":   "values have no place in it",
		"Topic=http://host/?x=1":    "has a query, and its action publish has a path",
		"Ingset=http://host/":       `did you mean "Ingest"?`,
		"PlayMusic=http:///nothing": "write http://HOST/PATH",
	} {
		key, value, _ := strings.Cut(service, "=")
		one := Options{Services: map[string]string{"Ingest": a.URL, "Topic": a.URL, "PlayMusic": a.URL}}
		one.Services[key] = value
		if _, err := Validate(files, one); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", service, err)
		}
	}
	// Without one, the refusal names the option.
	if _, err := Validate(files, Options{}); err == nil || !strings.Contains(err.Error(), "--service Ingest=URL") || !strings.Contains(err.Error(), "feed.graphql:5:") {
		t.Errorf("%v", err)
	}
}

// The built-in flow and a deployed one that does the same take every picture twice:
// the answer of deploy says so.
func TestFlowsThatDoTheSameAreTold(t *testing.T) {
	h := newHouse(t)
	h.open()
	if err := h.f.AddBuiltin(Builtin{Name: "SecurityFlow", Things: map[string]string{"motionSensor": "TG_MS", "camera": "TG_Camera", "screen": "TG_Screen"}, Carrier: "local"}); err != nil {
		t.Fatal(err)
	}
	h.run()
	d := h.deploy(hall, Options{})
	want := "the configuration's flow SecurityFlow does capture of TG_Camera on StateChanged of TG_MS, too, so it is done twice; take one of them away (remove it from flows in the configuration)"
	if !slices.Equal(d.Notes, []string{want}) {
		t.Errorf("%q", d.Notes)
	}
	d = h.deploy(hall, Options{Name: "Second", Things: map[string]string{"camera": "far_Camera", "screen": "far_Screen"}})
	if len(d.Notes) != 0 {
		t.Errorf("another camera: %q", d.Notes)
	}
	if d = h.deploy(hall, Options{Name: "Third"}); len(d.Notes) != 2 || !strings.Contains(d.Notes[1], "the flow Hall does") || !strings.Contains(d.Notes[1], "pithings flow undeploy Hall") {
		t.Errorf("two others: %q", d.Notes)
	}
	if d = h.deploy(hall, Options{}); len(d.Notes) != 2 { // in its own place, beside Third
		t.Errorf("deployed again: %q", d.Notes)
	}
}
