package defender

import (
	"encoding/json"
	"net/netip"
	"regexp"
)

// check looks at a value; what names it in the error.
type check func(value any, what string) *Error

// field is a member of an object, with its long and its short name.
type field struct {
	long, short string
	required    bool
	check       check
}

// object is an object with these members and no other.
func object(fields ...field) check {
	names := make([]string, 0, 2*len(fields))
	for _, f := range fields {
		names = append(names, f.long, f.short)
	}
	return func(value any, what string) *Error {
		o, ok := value.(map[string]any)
		if !ok {
			return invalid("%s is no object", what)
		}
		for _, f := range fields {
			v, given := member(o, f.long, f.short)
			if !given {
				if f.required {
					return invalid("%s has no %s", what, f.long)
				}
				continue
			}
			if err := f.check(v, f.long); err != nil {
				return err
			}
		}
		return only(o, what, names...)
	}
}

// list is a list of such values.
func list(each check) check {
	return func(value any, what string) *Error {
		values, ok := value.([]any)
		if !ok {
			return invalid("%s is no list", what)
		}
		for _, v := range values {
			if err := each(v, what); err != nil {
				return err
			}
		}
		return nil
	}
}

func text(value any, what string) *Error {
	if _, ok := value.(string); !ok {
		return invalid("%s is no text", what)
	}
	return nil
}

func number(value any, what string) *Error {
	if _, ok := value.(json.Number); !ok {
		return invalid("%s is no number", what)
	}
	return nil
}

// count is a whole number from 0 to a largest one.
func count(most int64) check {
	return func(value any, what string) *Error {
		n, ok := value.(json.Number)
		if i, err := n.Int64(); !ok || err != nil || i < 0 || i > most {
			return invalid("%s is no whole number from 0 to %d", what, most)
		}
		return nil
	}
}

func address(value any, what string) *Error {
	s, ok := value.(string)
	if _, err := netip.ParseAddrPort(s); !ok || err != nil {
		return invalid("%s is not ADDRESS:PORT", what)
	}
	return nil
}

func ip(value any, what string) *Error {
	s, ok := value.(string)
	if _, err := netip.ParseAddr(s); !ok || err != nil {
		return invalid("%s has something else than an IP address", what)
	}
	return nil
}

var (
	whole = count(1<<63 - 1)
	port  = count(65535)
	total = field{"total", "t", false, whole}

	ports = object(
		field{"ports", "pts", false, list(object(field{"interface", "if", false, text}, field{"port", "pt", true, port}))},
		total,
	)
	connections = object(
		field{"connections", "cs", false, list(object(
			field{"local_interface", "li", false, text}, field{"local_port", "lp", false, port}, field{"remote_addr", "rad", true, address}))},
		total,
	)
	metrics = object(
		field{"listening_tcp_ports", "tp", false, ports},
		field{"listening_udp_ports", "up", false, ports},
		field{"network_stats", "ns", false, object(
			field{"bytes_in", "bi", false, whole}, field{"bytes_out", "bo", false, whole},
			field{"packets_in", "pi", false, whole}, field{"packets_out", "po", false, whole})},
		field{"tcp_connections", "tc", false, object(field{"established_connections", "ec", false, connections})},
	)
	report = object(
		field{"header", "hed", true, func(any, string) *Error { return nil }}, // checked before
		field{"metrics", "met", false, metrics},
		field{"custom_metrics", "cmet", false, custom},
	)
)

// kinds are those of custom metrics, which have no short names.
var kinds = map[string]check{"number": number, "number_list": list(number), "string_list": list(text), "ip_list": list(ip)}

var isMetric = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`).MatchString

// custom checks custom metrics: {"NAME": [{"number": 1}]}.
func custom(value any, what string) *Error {
	all, ok := value.(map[string]any)
	if !ok {
		return invalid("%s is no object", what)
	}
	for name, v := range all {
		values, ok := v.([]any)
		if !isMetric(name) || !ok || len(values) != 1 {
			return invalid("%s: %.130q is no list of one value, or no name of 1 to 128 characters", what, name)
		}
		one, ok := values[0].(map[string]any)
		if !ok || len(one) != 1 {
			return invalid("%s: %s is not one of number, number_list, string_list and ip_list", what, name)
		}
		for kind, inner := range one {
			check := kinds[kind]
			if check == nil {
				return invalid("%s: %s has the unknown type %.40q", what, name, kind)
			}
			if err := check(inner, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkReport checks all of a report but its header.
func checkReport(top map[string]any) *Error {
	_, has := member(top, "metrics", "met")
	if _, custom := member(top, "custom_metrics", "cmet"); !has && !custom {
		return invalid("the report has neither metrics nor custom_metrics")
	}
	return report(top, "the report")
}
