/* The least that a flow can cost: one thread, one blocking socket, PUBACK and PUBLISH in
 * one write, no JSON. forwarder PORT NAME QOS */
#include "mqtt.h"

static char motion[128], capture[128], finished[128], display[128];
static int qos;

static void take(const char *topic, size_t t, const char *payload, size_t n) {
	if (is(topic, t, motion)) {
		publish(qos, capture, "{}", 2);
	} else if (is(topic, t, finished)) {
		static const char key[] = "{\"lastClickedImage\": ", other[] = "{\"imageUri\": ";
		char command[512];
		if (n < sizeof key || n > sizeof command) return;
		memcpy(command, other, sizeof other - 1);
		memcpy(command + sizeof other - 1, payload + sizeof key - 1, n - (sizeof key - 1));
		publish(qos, display, command, n - (sizeof key - 1) + sizeof other - 1);
	}
}

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	char *name = argv[2];
	qos = atoi(argv[3]);
	snprintf(motion, sizeof motion, "%s_MS/motion", name);
	snprintf(capture, sizeof capture, "%s_Camera/capture", name);
	snprintf(finished, sizeof finished, "%s_Camera/capture/finished", name);
	snprintf(display, sizeof display, "%s_Screen/display", name);
	connect_to(argv[1], name);
	subscribe(qos, motion);
	subscribe(qos, finished);
	flush_out();
	while (subacks < 2) receive();
	for (;;) {
		struct pollfd p = {sock, POLLIN, 0};
		poll(&p, 1, -1);
		receive();
	}
}
