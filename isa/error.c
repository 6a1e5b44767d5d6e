/* SPDX-License-Identifier: Apache-2.0 */
#include "tessera/status.h"

#include <stdarg.h>
#include <stdio.h>

enum tsr_status tsr_error_set(struct tsr_error *e, enum tsr_status status, const char *format, ...)
{
    if (e == NULL || e->status != TSR_OK)
        return status;
    va_list ap;
    va_start(ap, format);
    vsnprintf(e->message, sizeof e->message, format, ap);
    va_end(ap);
    e->status = status;
    return status;
}
