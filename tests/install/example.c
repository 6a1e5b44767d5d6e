/* SPDX-License-Identifier: Apache-2.0 */
/* A user's program: multiplies two matrices and says which kernel did it. */
#include <stdio.h>
#include <tessera/tessera.h>

int main(void)
{
    const float a[2 * 3] = {1, 2, 3, 4, 5, 6}, b[3 * 2] = {1, 0, 0, 1, 1, 1};
    float c[2 * 2];
    tsr_matmul_f32(2, 2, 3, a, 3, b, 2, c, 2);

    struct tsr_error err = {0};
    struct tsr_kernel_choice choice;
    if (tsr_kernel_choose("matmul_f32", &choice, &err) != TSR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return (int)err.status;
    }
    printf("%g %g %g %g by %s\n", c[0], c[1], c[2], c[3], choice.variant);
    return 0;
}
