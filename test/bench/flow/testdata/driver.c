/* The ends of the chain: a motion sensor, a camera that answers at once, a screen.
 * driver PORT reads lines "NAME QOS CHAINS SPACE" (SPACE: microseconds between chains)
 * and answers each with a line of nanoseconds from motion to display. */
#include "mqtt.h"
#include <time.h>

static char motion[128], capture[128], finished[128], display[128], uri[128];
static int qos, displayed;
static unsigned long pictures;

static long long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void take(const char *topic, size_t t, const char *payload, size_t n) {
	if (is(topic, t, capture)) {
		char answer[256];
		snprintf(uri, sizeof uri, "http://127.0.0.1:8080/pictures/TG_Camera/%020lu.jpg", ++pictures);
		publish(qos, finished, answer, snprintf(answer, sizeof answer, "{\"lastClickedImage\": \"%s\"}", uri));
	} else if (is(topic, t, display)) {
		char copy[512];
		if (n >= sizeof copy) die("display");
		memcpy(copy, payload, n);
		copy[n] = 0;
		if (!strstr(copy, uri)) { fprintf(stderr, "display of another picture: %s, not %s\n", copy, uri); exit(1); }
		displayed = 1;
	}
}

int main(int argc, char **argv) {
	char name[64], line[256];
	int chains, space;
	if (argc != 2) return 2;
	connect_to(argv[1], "driver");
	while (fgets(line, sizeof line, stdin) && sscanf(line, "%63s %d %d %d", name, &qos, &chains, &space) == 4) {
		snprintf(motion, sizeof motion, "%s_MS/motion", name);
		snprintf(capture, sizeof capture, "%s_Camera/capture", name);
		snprintf(finished, sizeof finished, "%s_Camera/capture/finished", name);
		snprintf(display, sizeof display, "%s_Screen/display", name);
		subacks = 0;
		subscribe(qos, capture);
		subscribe(qos, display);
		flush_out();
		while (subacks < 2) receive();
		while (chains-- > 0) {
			if (space) usleep(space);
			static const char detected[] = "{\"isMotionDetected\": true}";
			long long began = now();
			displayed = 0;
			publish(qos, motion, detected, sizeof detected - 1);
			flush_out();
			while (!displayed) receive();
			printf("%lld ", now() - began);
		}
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
