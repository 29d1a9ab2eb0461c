/* SPDX-License-Identifier: Apache-2.0 */
/* The specification that is made of an NVIDIA driver: made-up drivers below a root of the test's
 * own. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "container/cdi.h"
#include "container/cdi_nvidia.h"
#include "container/elf_soname.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#define VERSION "535.183.01"
#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#define FOREIGN_MACHINE EM_AARCH64
#else
#define NATIVE_MACHINE EM_AARCH64
#define FOREIGN_MACHINE EM_X86_64
#endif

static char root[] = "/tmp/hearth-test.XXXXXX";

static int set_up(void **state)
{
	(void)strcpy(root, "/tmp/hearth-test.XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;

	return file_remove_tree(AT_FDCWD, root, &err);
}

static void put_bytes(const char *path, const void *data, size_t len)
{
	struct error err = ERROR_INIT;
	autofree char *whole = xasprintf("%s%s", root, path);
	int dir_fd = -1;

	*strrchr(whole, '/') = '\0';
	assert_int_equal(file_open_dir(whole, 0755, &dir_fd, &err), 0);
	autoclose int folder_fd = dir_fd;
	autoclose int fd = openat(folder_fd, strrchr(path, '/') + 1,
	                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_int_equal(file_write_all(fd, data, len, &err), 0);
}

static void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

static void put_program(const char *path, int class, Elf64_Half machine)
{
	Elf64_Ehdr head = {.e_ident = ELFMAG, .e_type = ET_DYN, .e_machine = machine};

	head.e_ident[EI_CLASS] = (unsigned char)class;
	put_bytes(path, &head, sizeof(head));
}

static void put_card(const char *bus, const char *uuid, int minor)
{
	autofree char *path = xasprintf("/proc/driver/nvidia/gpus/%s/information", bus);
	autofree char *node = xasprintf("/dev/nvidia%d", minor);
	autofree char *text =
	        xasprintf("Model: \t\t NVIDIA A100-SXM4-80GB\nIRQ:   \t\t 42\n"
	                  "GPU UUID: \t %s\nBus Location: \t %s\nDevice Minor: \t %d\n",
	                  uuid, bus, minor);

	put(path, text);
	put(node, "");
}

static void put_driver(void)
{
	put("/proc/driver/nvidia/version",
	    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  " VERSION
	    "  Sun May 12 19:39:15 UTC 2024\nGCC version: gcc version 12.2.0\n");
	put("/dev/nvidiactl", "");
	put("/dev/nvidia-uvm", "");
	put("/dev/nvidia-modeset", "");
	put_program("/usr/lib/x86_64-linux-gnu/libcuda.so." VERSION, ELFCLASS64, NATIVE_MACHINE);
	put_program("/usr/bin/nvidia-smi", ELFCLASS64, NATIVE_MACHINE);
}

static bool has_text(const json_t *spec, const char *part)
{
	autofree char *text = json_to_text(spec);

	return strstr(text, part) != NULL;
}

static const json_t *device(const json_t *spec, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(spec, "devices"), i, item)
	{
		if (strcmp(json_get_text(item, "name", ""), name) == 0)
			return item;
	}
	return NULL;
}

static void no_driver(void **state)
{
	assert_null(cdi_nvidia_make(root));
	put("/proc/driver/nvidia/version", "nonsense\n");
	assert_null(cdi_nvidia_make(root));
	put_driver();
	assert_null(cdi_nvidia_make(root)); /* and no card */
	assert_null(cdi_nvidia_make("/no/such/folder"));
}

static void cards(void **state)
{
	put_driver();
	put_card("0000:c1:00.0", "GPU-22222222-aaaa-bbbb-cccc-000000000002", 0);
	put_card("0000:41:00.0", "GPU-11111111-aaaa-bbbb-cccc-000000000001", 1);
	put_card("0000:e1:00.0", "GPU-?\?-?", 2);
	put("/proc/driver/nvidia/gpus/0000:f1:00.0/information", "Model: x\nDevice Minor: \t 9\n");
	put("/sys/bus/pci/devices/0000:41:00.0/drm/renderD129/uevent", "");
	put("/sys/bus/pci/devices/0000:41:00.0/drm/card1/uevent", "");
	put("/dev/dri/renderD129", "");
	autojson json_t *spec = cdi_nvidia_make(root);
	assert_non_null(spec);
	/* In the order of the bus, whatever their minors. */
	assert_true(has_text(device(spec, "0"), "/dev/nvidia1\""));
	assert_true(has_text(device(spec, "0"), "/dev/dri/renderD129"));
	assert_true(has_text(device(spec, "1"), "/dev/nvidia0\""));
	assert_true(has_text(device(spec, "2"), "/dev/nvidia2\""));
	assert_true(has_text(device(spec, "GPU-11111111-aaaa-bbbb-cccc-000000000001"),
	                     "/dev/nvidia1\""));
	assert_true(has_text(device(spec, "all"), "/dev/nvidia0\"") &&
	            has_text(device(spec, "all"), "/dev/nvidia2\""));
	assert_int_equal(json_array_size(json_object_get(spec, "devices")), 6);
	assert_true(has_text(spec, "/dev/nvidiactl") && has_text(spec, "/dev/nvidia-uvm\""));
	assert_false(has_text(spec, "modeset") || has_text(spec, "uvm-tools") ||
	             has_text(spec, "nvidia9"));
	assert_false(has_text(spec, "GPU-?") || has_text(spec, "card1"));
}

static void files(void **state)
{
	put_driver();
	put_card("0000:01:00.0", "GPU-1", 0);
	put("/etc/ld.so.conf", "# folders\ninclude /etc/ld.so.conf.d/*.conf\n/opt/first\n");
	put("/etc/ld.so.conf.d/nvidia.conf", "  /opt/nvidia/lib # here\nrelative\n");
	put("/etc/ld.so.conf.d/ignored", "/opt/ignored\n");
	put_program("/opt/nvidia/lib/libnvidia-ml.so." VERSION, ELFCLASS64, NATIVE_MACHINE);
	put_program("/opt/nvidia/lib/libcuda.so." VERSION, ELFCLASS64, NATIVE_MACHINE);
	put_program("/opt/first/libnvcuvid.so." VERSION, ELFCLASS64, NATIVE_MACHINE);
	put_program("/opt/ignored/libnvidia-no.so." VERSION, ELFCLASS64, NATIVE_MACHINE);
	put_program("/opt/nvidia/lib/libnvidia-32.so." VERSION, ELFCLASS32, EM_386);
	put_program("/opt/nvidia/lib/libnvidia-arm.so." VERSION, ELFCLASS64, FOREIGN_MACHINE);
	put_program("/usr/lib/x86_64-linux-gnu/libcuda.so.470.1", ELFCLASS64, NATIVE_MACHINE);
	put_program("/usr/lib/x86_64-linux-gnu/libnvidia-gtk3.so." VERSION, ELFCLASS64,
	            NATIVE_MACHINE);
	put("/usr/lib/x86_64-linux-gnu/libnvidia-text.so." VERSION, "a text");
	put("/lib/firmware/nvidia/" VERSION "/gsp_ga10x.bin", "firmware");
	put("/run/nvidia-persistenced/socket", "");
	autojson json_t *spec = cdi_nvidia_make(root);
	assert_true(has_text(
	        spec, "\"hostPath\":\"/usr/lib/x86_64-linux-gnu/libcuda.so." VERSION
	              "\",\"containerPath\":\"/usr/local/nvidia/lib64/libcuda.so." VERSION "\""));
	assert_true(has_text(spec, "/opt/nvidia/lib/libnvidia-ml.so." VERSION));
	assert_true(has_text(spec, "/opt/first/libnvcuvid.so." VERSION));
	assert_false(has_text(spec, "/opt/nvidia/lib/libcuda") || has_text(spec, "470") ||
	             has_text(spec, "libnvidia-no") || has_text(spec, "libnvidia-32") ||
	             has_text(spec, "libnvidia-arm") || has_text(spec, "gtk") ||
	             has_text(spec, "libnvidia-text"));
	assert_true(has_text(spec, "/lib/firmware/nvidia/" VERSION "/gsp_ga10x.bin"));
	assert_true(has_text(spec, "/run/nvidia-persistenced/socket"));
	assert_true(has_text(spec, "\"/usr/local/nvidia/bin/nvidia-smi\""));
	assert_true(has_text(spec, "libcuda.so.1::/usr/local/nvidia/lib64/libcuda.so"));
}

static void slices(void **state)
{
	struct error err = ERROR_INIT;
	autojson json_t *edits = NULL, *names = json_pack("[s]", "nvidia.com/gpu=GPU-1:1:0");

	put_driver();
	put_card("0000:01:00.0", "GPU-1", 0);
	put("/proc/driver/nvidia/capabilities/gpu0/mig/gi1/access",
	    "DeviceFileMinor: 12\nDeviceFileMode: 292\n");
	put("/proc/driver/nvidia/capabilities/gpu0/mig/gi1/ci0/access", "DeviceFileMinor: 13\n");
	put("/proc/driver/nvidia/capabilities/gpu0/mig/gi2/access", "DeviceFileMinor: 21\n");
	put("/proc/driver/nvidia/capabilities/gpu0/mig/gi2/ci0/access", "DeviceFileMinor: 22\n");
	put("/dev/nvidia-caps/nvidia-cap12", "");
	put("/dev/nvidia-caps/nvidia-cap13", "");
	put("/dev/nvidia-caps/nvidia-cap21", ""); /* but no 22: an instance that is being made */
	struct cdi *cdi = cdi_new_in(root, NULL, "auto");
	assert_string_equal(cdi_warnings(cdi), "");
	assert_int_equal(cdi_edits(cdi, names, &edits, &err), 0);
	assert_true(has_text(edits, "nvidia-cap12\"") && has_text(edits, "nvidia-cap13\"") &&
	            has_text(edits, "/dev/nvidia0\"") && has_text(edits, "/dev/nvidiactl\""));
	assert_false(has_text(edits, "nvidia-cap21"));
	cdi_free(cdi);
	autojson json_t *spec = cdi_nvidia_make(root);
	assert_non_null(device(spec, "0:1:0"));
	assert_null(device(spec, "0:2:0"));
	assert_false(has_text(device(spec, "0"), "nvidia-cap") ||
	             has_text(device(spec, "all"), "nvidia-cap"));
}

static void advice(void **state)
{
	struct error err = ERROR_INIT;
	autofree char *node = NULL;

	put_driver();
	put_card("0000:01:00.0", "GPU-1", 0);
	node = xasprintf("%s/dev/nvidia-uvm", root);
	assert_int_equal(file_remove_tree(AT_FDCWD, node, &err), 0);
	struct cdi *cdi = cdi_new_in(root, NULL, "auto");
	assert_non_null(strstr(cdi_warnings(cdi), "there is no /dev/nvidia-uvm"));
	cdi_free(cdi);
}

static void a_file_counts_more(void **state)
{
	autofree char *folder = xasprintf("%s/cdi", root);
	char *folders[] = {folder, NULL};
	struct error err = ERROR_INIT;
	autojson json_t *edits = NULL, *names = json_pack("[s]", "nvidia.com/gpu=0");

	put_driver();
	put_card("0000:01:00.0", "GPU-1", 0);
	put("/cdi/nvidia.yaml", "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n- name: \"0\"\n"
	                        "  containerEdits: {deviceNodes: [{path: /dev/by-hand}]}\n");
	struct cdi *cdi = cdi_new_in(root, folders, "auto");
	assert_int_equal(cdi_edits(cdi, names, &edits, &err), 0);
	assert_true(has_text(edits, "by-hand"));
	assert_false(has_text(edits, "nvidiactl"));
	cdi_free(cdi);
	cdi = cdi_new_in(root, NULL, "off");
	json_t *none = NULL;
	assert_int_equal(cdi_edits(cdi, names, &none, &err), -1);
	cdi_free(cdi);
}

/* The C library that this program runs with. */
static int open_libc(void)
{
	autofile FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		char *path = strchr(line, '/');
		line[strcspn(line, "\n")] = '\0';
		if (path && strstr(path, "libc.so.6"))
			return open(path, O_RDONLY | O_CLOEXEC);
	}
	return -1;
}

static void sonames(void **state)
{
	autoclose int fd = open_libc();
	char name[ELF_SONAME_SIZE];
	Elf64_Ehdr head;

	assert_true(fd >= 0);
	assert_true(elf_soname(fd, name));
	assert_string_equal(name, "libc.so.6");
	/* Every table somewhere else, or nowhere. */
	assert_true(file_read_at(fd, &head, sizeof(head), 0));
	for (unsigned int shift = 0; shift < 64; shift++) {
		Elf64_Ehdr changed = head;
		changed.e_phoff ^= 1ULL << shift;
		put_bytes("/broken", &changed, sizeof(changed));
		autofree char *path = xasprintf("%s/broken", root);
		autoclose int broken = open(path, O_RDONLY | O_CLOEXEC);
		assert_false(elf_soname(broken, name));
	}
	autoclose int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_false(elf_soname(null_fd, name));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        TEST(no_driver),          TEST(cards),  TEST(files),   TEST(slices),
	        TEST(a_file_counts_more), TEST(advice), TEST(sonames),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
