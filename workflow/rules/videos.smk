# REQUIRED INPUTS: results/clips/<corpus>.parquet and the videos it names; results/{keypoints,skeletons}/... where there are any.
# OUTPUTS: results/{rgb,taylor,flow,depth,face}/<corpus>/<shard>.arrow, the same frames seen in five ways.


rule rgb:
    input:
        all_shards("rgb"),


rule taylor:
    input:
        all_shards("taylor"),


rule flow:
    input:
        all_shards("flow"),


rule depth:
    input:
        all_shards("depth"),


rule face:
    input:
        all_shards("face"),


rule make_rgb:
    input:
        clips="results/clips/{corpus}.parquet",
        keypoints=keypoints_if_any,
    output:
        "results/rgb/{corpus}/{shard}.arrow",
    log:
        "results/logs/rgb/{corpus}/{shard}.log",
    benchmark:
        "results/benchmarks/rgb/{corpus}/{shard}.tsv"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        settings=settings("rgb", "corpus"),
        stamp=stamp("rgb", "corpus"),
        keypoints=lambda wildcards, input: (
            f"--keypoints {input.keypoints}" if input.keypoints else ""
        ),
    message:
        "Cutting the clips of {wildcards.corpus}, shard {wildcards.shard}, out of their videos"
    shell:
        "microgesture --log {log:q} rgb --settings {params.settings:q} --clips {input.clips} --shard {wildcards.shard}"
        " {params.keypoints} --output {output} --stamp {params.stamp}"


rule make_taylor:
    input:
        "results/rgb/{corpus}/{shard}.arrow",
    output:
        "results/taylor/{corpus}/{shard}.arrow",
    log:
        "results/logs/taylor/{corpus}/{shard}.log",
    benchmark:
        "results/benchmarks/taylor/{corpus}/{shard}.tsv"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        settings=settings("taylor", "corpus"),
        stamp=stamp("taylor", "corpus"),
    message:
        "Making the Taylor videos of {wildcards.corpus}, shard {wildcards.shard}"
    shell:
        "microgesture --log {log:q} taylor --settings {params.settings:q} --rgb {input} --output {output}"
        " --stamp {params.stamp}"


rule make_flow:
    input:
        rgb="results/rgb/{corpus}/{shard}.arrow",
        weights=flow_weights,
    output:
        "results/flow/{corpus}/{shard}.arrow",
    log:
        "results/logs/flow/{corpus}/{shard}.log",
    benchmark:
        "results/benchmarks/flow/{corpus}/{shard}.tsv"
    resources:
        gpu=int(plan.config.flow.is_learned and plan.config.device != "cpu"),
        mem_mb=memory(8000 if plan.config.flow.is_learned else 2000),
        runtime=minutes(10),
    params:
        settings=settings("flow", "corpus"),
        stamp=stamp("flow", "corpus"),
        weights=lambda wildcards, input: (
            f"--weights {input.weights}" if input.weights else ""
        ),
    message:
        "Making the optical flow of {wildcards.corpus}, shard {wildcards.shard}"
    shell:
        "microgesture --log {log:q} flow --settings {params.settings:q} --rgb {input.rgb} {params.weights} --output {output}"
        " --stamp {params.stamp}"


rule make_depth:
    input:
        clips="results/clips/{corpus}.parquet",
        keypoints=keypoints_if_any,
        rgb=rgb_if_seen,
    output:
        "results/depth/{corpus}/{shard}.arrow",
    log:
        "results/logs/depth/{corpus}/{shard}.log",
    benchmark:
        "results/benchmarks/depth/{corpus}/{shard}.tsv"
    resources:
        gpu=int(plan.config.depth.is_learned and plan.config.device != "cpu"),
        mem_mb=memory(8000 if plan.config.depth.is_learned else 2000),
        runtime=minutes(10),
    params:
        settings=settings("depth", "corpus"),
        stamp=stamp("depth", "corpus"),
        keypoints=lambda wildcards, input: (
            f"--keypoints {input.keypoints}" if input.keypoints else ""
        ),
        rgb=lambda wildcards, input: f"--rgb {input.rgb}" if input.rgb else "",
    message:
        "Making the depth of {wildcards.corpus}, shard {wildcards.shard}"
    shell:
        "microgesture --log {log:q} depth --settings {params.settings:q} --clips {input.clips} --shard {wildcards.shard}"
        " {params.keypoints} {params.rgb} --output {output} --stamp {params.stamp}"


rule make_face:
    input:
        clips="results/clips/{corpus}.parquet",
        skeletons="results/skeletons/{corpus}/{shard}.arrow",
    output:
        "results/face/{corpus}/{shard}.arrow",
    log:
        "results/logs/face/{corpus}/{shard}.log",
    benchmark:
        "results/benchmarks/face/{corpus}/{shard}.tsv"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        settings=settings("face", "corpus"),
        stamp=stamp("face", "corpus"),
    message:
        "Aligning the faces of {wildcards.corpus}, shard {wildcards.shard}"
    shell:
        "microgesture --log {log:q} face --settings {params.settings:q} --clips {input.clips} --shard {wildcards.shard}"
        " --skeletons {input.skeletons} --output {output} --stamp {params.stamp}"
