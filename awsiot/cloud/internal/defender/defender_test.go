package defender

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// long is the example of the developer guide, with all types of custom metrics.
const long = `{"header":{"report_id":1530304554,"version":"1.0"},
"metrics":{"listening_tcp_ports":{"ports":[{"interface":"eth0","port":24800},{"interface":"eth0","port":22},{"interface":"eth0","port":53}],"total":3},
"listening_udp_ports":{"ports":[{"interface":"eth0","port":5353},{"interface":"eth0","port":67}],"total":2},
"network_stats":{"bytes_in":29358693495,"bytes_out":26485035,"packets_in":10013573555,"packets_out":11382615},
"tcp_connections":{"established_connections":{"connections":[{"local_interface":"eth0","local_port":80,"remote_addr":"192.168.0.1:8000"},{"local_interface":"eth0","local_port":80,"remote_addr":"[fe80::1]:8000"}],"total":2}}},
"custom_metrics":{"MyMetricOfType_Number":[{"number":1}],"MyMetricOfType_NumberList":[{"number_list":[1,2.5,3]}],"MyMetricOfType_StringList":[{"string_list":["value_1","value_2"]}],"MyMetricOfType_IpList":[{"ip_list":["172.0.0.0","172.0.0.10"]}]}}`

// short is the guide's example with short names.
const short = `{"hed":{"rid":1530305228,"v":"1.0"},
"met":{"tp":{"pts":[{"if":"eth0","pt":24800},{"if":"eth0","pt":22},{"if":"eth0","pt":53}],"t":3},
"up":{"pts":[{"if":"eth0","pt":5353},{"if":"eth0","pt":67}],"t":2},
"ns":{"bi":29359307173,"bo":26490711,"pi":10014614051,"po":11387620},
"tc":{"ec":{"cs":[{"li":"eth0","lp":80,"rad":"192.168.0.1:8000"}],"t":1}}},
"cmet":{"MyMetricOfType_Number":[{"number":1}]}}`

var now = time.Unix(1530304554, 0)

func read(t *testing.T, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestReports(t *testing.T) {
	for _, text := range []string{long, short} {
		if _, last, err := Check(read(t, text), nil, now); err != nil || last.At != now.Unix() {
			t.Errorf("%s: %v", text, err)
		}
	}
	for name, change := range map[string][2]string{
		"no header":            {`"header"`, `"head"`},
		"header is a text":     {`{"report_id":1530304554,"version":"1.0"}`, `"1"`},
		"no id":                {`"report_id":1530304554,`, ``},
		"id is a text":         {`1530304554`, `"1530304554"`},
		"id is 0":              {`1530304554`, `0`},
		"another version":      {`"1.0"`, `"2.0"`},
		"more in the header":   {`"version"`, `"x":1,"version"`},
		"unknown metric":       {`"network_stats"`, `"net_stats"`},
		"unknown member":       {`"bytes_in"`, `"bytesIn"`},
		"bytes below 0":        {`29358693495`, `-1`},
		"bytes with a point":   {`29358693495`, `1.5`},
		"port 65536":           {`24800`, `65536`},
		"port is a text":       {`24800`, `"24800"`},
		"ports are no list":    {`[{"interface":"eth0","port":5353},{"interface":"eth0","port":67}]`, `5353`},
		"no port":              {`{"interface":"eth0","port":22}`, `{"interface":"eth0"}`},
		"address without port": {`192.168.0.1:8000`, `192.168.0.1`},
		"no address":           {`,"remote_addr":"192.168.0.1:8000"`, ``},
		"interface a number":   {`"interface":"eth0","port":22`, `"interface":1,"port":22`},
		"custom: two values":   {`[{"number":1}]`, `[{"number":1},{"number":2}]`},
		"custom: no list":      {`[{"number":1}]`, `{"number":1}`},
		"custom: other type":   {`{"number":1}`, `{"bool":true}`},
		"custom: text":         {`{"number":1}`, `{"number":"1"}`},
		"custom: no IP":        {`"172.0.0.0"`, `"example.com"`},
		"custom: no text":      {`"value_1"`, `1`},
		"custom: name":         {`MyMetricOfType_Number"`, `My Metric"`},
		"more in the report":   {`"custom_metrics"`, `"x":{},"custom_metrics"`},
	} {
		text := strings.Replace(long, change[0], change[1], 1)
		if text == long {
			t.Fatalf("%s changes nothing", name)
		}
		if _, _, err := Check(read(t, text), nil, now); err == nil || err.Code != InvalidPayload {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{`[]`, `1`, `{"header":{"report_id":1,"version":"1.0"}}`} {
		if _, _, err := Check(read(t, text), nil, now); err == nil {
			t.Errorf("%s: accepted", text)
		}
	}
}

func TestOrderAndRate(t *testing.T) {
	var last *Last
	for _, row := range []struct {
		second   int64
		id, code string
	}{
		{0, "10", ""}, {300, "10", InvalidPayload}, {300, "9", InvalidPayload}, {100, "11", Throttled},
		{300, "11", ""}, {599, "12", ""}, {700, "13", Throttled}, {900, "13", ""},
	} {
		report := read(t, `{"header":{"report_id":`+row.id+`,"version":"1.0"},"metrics":{}}`)
		_, next, err := Check(report, last, now.Add(time.Duration(row.second)*time.Second))
		if code := ""; err != nil {
			if code = err.Code; code != row.code {
				t.Errorf("%+v: %v", row, err)
			}
			continue
		}
		if row.code != "" {
			t.Errorf("%+v: accepted", row)
		}
		last = next
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(long)
	f.Add(short)
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&v) != nil {
			return
		}
		if id, next, err := Check(v, nil, now); (err == nil) != (next != nil) || err == nil && id <= 0 {
			t.Fatalf("%d, %v, %v", id, next, err)
		}
	})
}
