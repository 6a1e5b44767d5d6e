/* SPDX-License-Identifier: Apache-2.0 */
/* A qemu-user plugin that counts executed guest instructions and writes the count at every getppid:
 * calls.c brackets what it measures with it. Debian packages no header of the interface (version 1,
 * docs/devel/tcg-plugins of qemu), so what is used of it is declared here. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    GETPPID = 173 /* of 64-bit Arm */
};

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info;
enum qemu_plugin_op {
    QEMU_PLUGIN_INLINE_ADD_U64
};
typedef void tb_fn(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void syscall_fn(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1,
                        uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                        uint64_t a7, uint64_t a8);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_fn *fn);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb,
                                                     enum qemu_plugin_op op, void *to,
                                                     uint64_t add);
extern void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id, syscall_fn *fn);
extern void qemu_plugin_outs(const char *text);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

static uint64_t executed;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &executed,
                                             qemu_plugin_tb_n_insns(tb));
}

static void called(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
                   uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)vcpu, (void)a1, (void)a2, (void)a3, (void)a4;
    (void)a5, (void)a6, (void)a7, (void)a8;
    char line[32];
    if (number != GETPPID)
        return;
    snprintf(line, sizeof line, "%llu\n", (unsigned long long)executed);
    qemu_plugin_outs(line);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
