// Package command runs commands that arrive by MQTT, and answers each on the topic that it
// names: the request and response of docs/command.md.
//
//	→ cmd/ac/DEVICE/req   {"type":"TG_Camera/capture","session-id":"7f3a","response-topic":"cmd/app/answers"}
//	← cmd/app/answers     {"session-id":"7f3a","status":"OK","result":{"lastClickedImage":"https://…"}}
//
// MQTT delivers a request with QoS 1 again when an acknowledgement is lost, and those who
// wait for an answer ask again. So a session id stands for one run, at most:
//
//	request ─→ parse ─→ known session? ─ finished ─→ the saved answer, byte for byte
//	                       │      └───── running ──→ waits for the same run
//	                       └─ new ─→ checks ─→ "begun" synced ─→ run ─→ answer synced ─→ answer sent
//	                                   └─ refused: an error, which is not saved
//
// A process that is killed between the two syncs finds a session that has begun and has no
// answer. Whether the action had its effect is not known then, so it does not run again: the
// answer says so. The last [MaxSessions] sessions are kept for [KeepFor] (journal.go).
//
// An answer goes nowhere but to a topic below cmd/ or a prefix of the settings, without
// wildcards, so that who may send requests cannot publish as this device what they like.
package command
