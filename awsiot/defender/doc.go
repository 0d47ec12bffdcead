// Package defender reports this device's network to AWS IoT Device Defender, which compares
// it with what is usual and raises an alarm: ports on which programs listen, connections, how
// much is sent and received, and values of things as custom metrics.
//
//	→ $aws/things/THING/defender/metrics/json            {"header":{"report_id":1796000000,"version":"1.0"},"metrics":{…}}
//	← $aws/things/THING/defender/metrics/json/accepted   {"thingName":"THING","reportId":1796000000,"status":"ACCEPTED","timestamp":…}
//
// What is reported is read from /proc/net below a root folder (sockets.go, traffic.go), put into
// the form of "Sending metrics from devices" of the AWS IoT Device Defender developer guide
// (report.go), and sent at an interval (service.go). The first report comes an interval after
// the start: how much was sent and received counts from the report before. A report that
// cannot be sent at once is worth nothing later; the next one counts from the last that was.
package defender
