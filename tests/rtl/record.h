/* SPDX-License-Identifier: Apache-2.0 */
/* What one tile did in a run of the simulator, kind by kind in the order of cycles: what its RTL
 * has to repeat. A C header that C++ takes, unlike those of sim/core. */
#ifndef TESTS_RTL_RECORD_H
#define TESTS_RTL_RECORD_H

#include "tessera/sim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As enum observed (sim/core/observe.h), which says what the fields of an event mean. */
enum rtl_kind {
    RTL_TCP,
    RTL_STORE,
    RTL_START,
    RTL_RETIRE,
    RTL_SEM,
    RTL_REMOTE,
    RTL_VISSUE,
    RTL_VALUE,
    RTL_VLINE,
    RTL_VDATA,
    RTL_ALINE,
    RTL_ADATA,
    RTL_ACC,
    RTL_FLINE,
    RTL_FDATA,
    RTL_REQUEST,
    RTL_HEAD,
    RTL_IN,
    RTL_OUT,
    RTL_ACK,
    RTL_RPOST,
    RTL_WRITE,
    RTL_KINDS
};
extern const char *const rtl_kind_name[RTL_KINDS];

struct rtl_event {
    uint64_t cycle, value, address;
    uint32_t pc, reg, bytes, queue;
    size_t data; /* offset in rtl_record.data */
    bool has_data;
    /* of requests and packets that come in: enum desc_kind of sim/core, and the layout */
    uint32_t kind, first, len;
    uint64_t near;
    int32_t gap;
};

struct rtl_stream {
    struct rtl_event *e;
    size_t n, cap;
};

struct rtl_record {
    uint32_t tile; /* set by the caller */
    struct rtl_stream stream[RTL_KINDS];
    uint8_t *data;
    size_t n_data, cap_data;
    bool failed; /* out of memory */
    struct tsr_fault fault;
    uint64_t cycles; /* of the run */
};

/* An observer that fills the record; lives as long as the record does. */
const struct tsr_observer *rtl_record_observer(struct rtl_record *r);
void rtl_record_clear(struct rtl_record *r);
/* After the run: leaves out what lies beyond a fault, and sorts. False: out of memory. */
bool rtl_record_finish(struct rtl_record *r, const struct tsr_stats *stats,
                       const struct tsr_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
