rule train:
    output:
        OUT + "/train/{job}.npz",
        timing=OUT + "/timings/train/{job}.json",
    log:
        OUT + "/logs/train/{job}.log",
    benchmark:
        OUT + "/benchmarks/train/{job}.tsv"
    params:
        rests_on=lambda wildcards: PLAN.fingerprint("train", wildcards.job),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=lambda wildcards: 5 + int(3 * PLAN.minutes("train", wildcards.job)),
    conda:
        "environment.yaml"
    shell:
        "{STAGE} train --job {wildcards.job} > {log} 2>&1"
